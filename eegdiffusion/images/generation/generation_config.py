"""The inputs that images are generated from: an entry of the section ``image_generation`` of ``params.yaml``."""

from pathlib import Path

from eegdiffusion.core.runtime.names import Name
from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.images.encoders.training_folders import joint_training_folder


@settings
class GenerationConfig:
    """A corpus, and the EEG encoders of protocol ``joint``, trained on unfiltered epochs, that condition generators."""

    corpus: Name
    """Entry of ``image_corpora`` whose images are generated from its EEG."""
    semantics: Name
    """Entry of ``eeg_encoders`` with the objective ``align``, which predicts features of what the image shows."""
    classifier: Name
    """Entry of ``eeg_encoders`` with the encoder ``eegconvnet`` and the objective ``classify``."""
    pictures: str
    """Folder of images that a small generator learns from, beside the corpus's training images."""


def encoder_folder(encoder: Path, seed: int) -> Path:
    """Return the folder of the encoder that generators use, below the folder of an entry of ``eeg_encoders``."""
    return joint_training_folder(encoder, seed)
