"""What was done to the signals that a model was trained on, which it carries so that others can do the same."""

from typing import Literal

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.signal.filtering import Filtering


@settings
class Preprocessing:
    """From referential EEG in volts to windows of bipolar derivations."""

    filtering: Filtering
    """Filters and sampling rate."""
    montage_sign: Literal["eegdm", "tuh"]
    """Signs of derivations 11 to 13 (see :mod:`eegdiffusion.core.signal.montage`)."""
    window: int
    """Number of samples in a window, at the rate of ``filtering``."""
    unit: str
    """Unit of the windows that the model takes."""
    classes: list[str]
    """Names of the classes, in the order of the model's probabilities."""
    corpus: str
    """What the model was trained on; ``surrogate`` where it is one."""
