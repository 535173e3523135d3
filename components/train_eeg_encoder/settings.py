"""Settings of encoders of EEG epochs."""

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Positive
from eegdiffusion.images.encoders.encoder_settings import Align, Classify


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
