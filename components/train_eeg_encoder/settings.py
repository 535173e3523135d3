"""Settings of the training of encoders of EEG epochs."""

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.images.encoders.encoder_settings import Align, Classify, EncoderExperiment, RetrievalTest

__all__ = ["Align", "Classify", "EncoderExperiment", "RetrievalTest", "TrainEEGEncoder"]


@settings
class TrainEEGEncoder:
    """Section ``train_eeg_encoder``, which holds for every entry of ``eeg_encoders``."""

    align: Align
    """Training of encoders that are aligned with image features."""
    classify: Classify
    """Training of encoders that classify."""
    test: RetrievalTest = RetrievalTest()
    """Test of aligned encoders."""
