"""Settings of ingestion of corpora of images and EEG."""

from typing import Annotated

from annotated_types import Ge, Lt

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.signal.epoching import Epoching
from eegdiffusion.images.corpora.corpus_layouts import ImageCorpus
from eegdiffusion.images.corpora.subject_epochs import RepetitionLimits

__all__ = ["Epoching", "ImageCorpus", "IngestImages", "RepetitionLimits"]


@settings
class IngestImages:
    """Section ``ingest_images``, which holds for every corpus of images and EEG."""

    validation_fraction: Annotated[float, Ge(0), Lt(1)] = 0.05
    """Fraction of the training concepts that validate, where the corpus has no validation split of its own; of the
    images of each concept where training and test images show the same concepts."""
    seed: Annotated[int, Ge(0)] = 20200220
    """Seed of the draw of validation concepts, and of the repetitions that are kept."""
    repetitions: RepetitionLimits = RepetitionLimits()
    """Largest number of repetitions of an image that are kept of a recording, in THINGS-EEG2 of a session's part."""
    max_bad_fraction: Annotated[float, Ge(0), Lt(1)] = 0.05
    """Largest fraction of missing images, or of unusable subjects, that does not stop the run."""
