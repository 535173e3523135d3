"""Rules by which corpora of images and EEG are taken in."""

from typing import Annotated

from annotated_types import Ge, Lt

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.images.corpora.subject_epochs import RepetitionLimits


@settings
class Ingestion:
    """Rules by which the images and the subjects of a corpus are accepted and divided."""

    validation_fraction: Annotated[float, Ge(0), Lt(1)] = 0.05
    """Fraction of the training concepts that validate, where the corpus has no validation split of its own; of the
    images of each concept where training and test images show the same concepts."""
    seed: Annotated[int, Ge(0)] = 20200220
    """Seed of the draw of validation concepts, and of the repetitions that are kept."""
    repetitions: RepetitionLimits = RepetitionLimits()
    """Largest number of repetitions of an image that are kept of a recording, in THINGS-EEG2 of a session's part."""
    max_bad_fraction: Annotated[float, Ge(0), Lt(1)] = 0.05
    """Largest fraction of missing images, or of unusable subjects, that does not stop the run."""
