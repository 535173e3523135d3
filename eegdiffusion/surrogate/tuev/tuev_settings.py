"""Settings of the surrogate of TUEV."""

from typing import Annotated

from annotated_types import Ge, Gt

from eegdiffusion.core.runtime.settings import settings


@settings
class SurrogateTuev:
    """How the corpus is made."""

    seed: Annotated[int, Ge(0)] = 20
    """Seed of everything that is drawn."""
    train_subjects: Annotated[int, Ge(1)] = 10
    """Number of subjects under ``train/``."""
    repeat_subjects: Annotated[int, Ge(0)] = 2
    """Number of training subjects that have a second recording."""
    eval_recordings: Annotated[int, Ge(1)] = 6
    """Number of recordings under ``eval/``, each of a subject of its own."""
    seconds: Annotated[int, Ge(34)] = 34
    """Length of a recording in seconds; MNE's 0.1 Hz high-pass filter is 33 s long."""
    snr: Annotated[float, Gt(0)] = 10.0
    """Peak amplitude of a typical event over the background's standard deviation."""

    def __post_init__(self):
        if self.repeat_subjects > self.train_subjects:
            raise ValueError(f"repeat_subjects must be at most train_subjects (found {self.repeat_subjects})")
