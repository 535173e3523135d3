"""Settings of the surrogate of TUEV."""

from typing import Annotated

from annotated_types import Ge, Gt

from eegdiffusion.core.runtime.settings import settings


@settings
class SurrogateTuev:
    """How the corpus is made.

    Attributes:
        seed: of everything that is drawn.
        train_subjects: subjects under ``train/``.
        repeat_subjects: how many of them have a second recording.
        eval_recordings: recordings under ``eval/``, each of a subject of its own.
        seconds: length of a recording. MNE's 0.1 Hz high-pass is 33 s long.
        snr: peak amplitude of a typical event over the background's standard deviation.
    """

    seed: Annotated[int, Ge(0)] = 20
    train_subjects: Annotated[int, Ge(1)] = 10
    repeat_subjects: Annotated[int, Ge(0)] = 2
    eval_recordings: Annotated[int, Ge(1)] = 6
    seconds: Annotated[int, Ge(34)] = 34
    snr: Annotated[float, Gt(0)] = 10.0

    def __post_init__(self):
        if self.repeat_subjects > self.train_subjects:
            raise ValueError(f"repeat_subjects must be at most train_subjects (found {self.repeat_subjects})")
