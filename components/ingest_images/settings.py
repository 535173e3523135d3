"""Settings of ingestion."""

from typing import Annotated, Literal

from annotated_types import Ge, Lt

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.images.corpora.eegcvpr40 import Files

Layout = Literal["things_eeg2_raw", "things_eeg2_preprocessed", "things_eeg1", "eegcvpr40", "kilogram"]


@settings
class ImageCorpus:
    """An entry of the section ``image_corpora``."""

    root: str
    """The corpus."""
    layout: Layout
    epochs: str
    """Entry of the section ``epochs``: how they are cut."""
    images: str | None = None
    """Folder of the images, where it is not in the layout's place; of EEGCVPR40, ImageNet's folder."""
    eegcvpr40: Files | None = None
    """Which of EEGCVPR40's files."""


@settings
class Counts:
    """A number for each partition."""

    training: Annotated[int, Ge(1)]
    test: Annotated[int, Ge(1)]


@settings
class IngestImages:
    """Section ``ingest_images``."""

    validation_fraction: Annotated[float, Ge(0), Lt(1)]
    """Of the training concepts, where the corpus has no validation split of its own."""
    seed: Annotated[int, Ge(0)]
    """Of the validation concepts, and of the repetitions that are kept."""
    repetitions: Counts
    """Most repetitions of an image that are kept of a session."""
    max_bad_fraction: Annotated[float, Ge(0), Lt(1)]
    """A larger share of missing images, or of trials that could not be cut, stops the run."""
