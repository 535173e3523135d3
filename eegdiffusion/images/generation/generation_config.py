"""What images are generated from: an entry of the section ``image_generation`` of ``params.yaml``."""

from pathlib import Path

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.images.encoders.training_folders import joint_training_folder


@settings
class GenerationStudy:
    """A corpus, and the encoders of EEG that condition its generators: those of protocol ``joint``, not filtered."""

    corpus: str
    """Entry of ``image_corpora``."""
    semantics: str
    """Entry of ``eeg_encoders`` with the objective ``align``: what the image shows."""
    classifier: str
    """Entry of ``eeg_encoders`` with the encoder ``eegconvnet`` and the objective ``classify``."""
    pictures: str
    """Folder of pictures that a small generator learns from, beside the corpus's training images."""


def encoder_folder(row: Path, seed: int) -> Path:
    """Folder of the encoder that generators use, below the folder of a row of ``train_eeg_encoder``."""
    return joint_training_folder(row, seed)
