"""Settings of the surrogate of CHB-MIT."""

from typing import Annotated

from annotated_types import Ge, Gt, Le

from eegdiffusion.core.runtime.settings import settings

MOST_TRAINING_CASES = 10
"""Cases that the corpus can have before chb21, those of which the papers leave some out included."""


@settings
class SurrogateChbMit:
    """How the corpus is made."""

    seed: Annotated[int, Ge(0)] = 20
    """Seed of everything that is drawn."""
    training_cases: Annotated[int, Ge(4), Le(MOST_TRAINING_CASES)] = 8
    """Number of cases before chb21 to chb24, with which the papers validate and test."""
    recordings: Annotated[int, Ge(3)] = 3
    """Number of recordings of a case; the first has no seizure."""
    seconds: Annotated[int, Ge(100)] = 120
    """Length of a recording in seconds."""
    snr: Annotated[float, Gt(0)] = 4.0
    """Amplitude of a typical seizure at its height over the background's standard deviation."""
