"""What images are generated from: entries of the sections ``sgdm`` and ``condiffusion`` of ``params.yaml``."""

from pathlib import Path

from eegdiffusion.core.runtime.names import Name
from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.images.encoders.encoder_settings import Band
from eegdiffusion.images.encoders.training_folders import training_folder
from eegdiffusion.images.epochs.protocols import JOINT_FOLD, Protocol


@settings
class SGDMStudy:
    """A corpus, and the encoder of protocol ``joint``, trained on unfiltered epochs, that conditions SGDM."""

    corpus: Name
    """Entry of ``image_corpora`` whose images are generated from its EEG; ``matrix.generated`` must list it."""
    semantics: Name
    """Entry of ``eeg_encoders`` with the objective ``align``, which predicts features of what the image shows."""


@settings
class ConDiffusionStudy:
    """A corpus, and the training of a classifier, by protocol, fold and band, that EEG-ConDiffusion is built on.

    It is trained on the fold's training subjects and makes images of its test subjects.
    """

    corpus: Name
    """Entry of ``image_corpora`` whose images are generated from its EEG; ``matrix.generated`` must list it."""
    classifier: Name
    """Entry of ``eeg_encoders`` with the encoder ``eegconvnet`` and the objective ``classify``."""
    protocol: Protocol = "joint"
    """Protocol of the training, one of the entry's."""
    fold: Name = JOINT_FOLD
    """Fold of the protocol: ``all`` of ``joint``, a test subject of ``within`` and ``leave_one_out``, the training
    subject of ``anchor``."""
    band: Band | None = None
    """Band of the training in Hz, one of the entry's; null: epochs that are not filtered."""

    def training(self, encoder: Path, seed: int) -> Path:
        """Return the folder of the training, below the folder of the entry of ``eeg_encoders``."""
        return training_folder(encoder, self.protocol, self.band, self.fold, seed)
