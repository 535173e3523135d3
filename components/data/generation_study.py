"""What images are generated from: an entry of the section ``image_generation`` of ``params.yaml``."""

from components.settings import settings


@settings
class GenerationStudy:
    """A corpus, and the encoders of EEG that condition its generators: those of protocol ``joint``, not filtered."""

    corpus: str
    """Entry of ``image_corpora``."""
    semantics: str
    """Entry of ``eeg_encoders`` with the objective ``align``: what the image shows."""
    classifier: str
    """Entry of ``eeg_encoders`` with the encoder ``eegconvnet`` and the objective ``classify``."""
