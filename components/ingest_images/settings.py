"""Settings of ingestion of corpora of images and EEG."""

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.signal.epoching import Epoching
from eegdiffusion.images.corpora.corpus_layouts import ImageCorpus
from eegdiffusion.images.corpora.image_ingestion import Ingestion
from eegdiffusion.images.corpora.subject_epochs import RepetitionLimits

__all__ = ["Epoching", "ImageCorpus", "IngestImages", "RepetitionLimits"]


@settings
class IngestImages(Ingestion):
    """Section ``ingest_images``, which holds for every corpus of images and EEG."""
