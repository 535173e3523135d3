"""Settings of encoders of EEG epochs."""

from components.settings import settings
from components.training.eeg_encoder_settings import Align, Classify
from components.training.settings import Positive


@settings
class Test:
    """Retrieval on test images."""

    repetitions: list[Positive]
    """How many are averaged; what exceeds a subject's repetitions stands for all of them."""
    draws: Positive
    """Averages of each image, of different repetitions."""


@settings
class TrainEEGEncoder:
    """Section ``train_eeg_encoder``."""

    align: Align
    classify: Classify
    test: Test
