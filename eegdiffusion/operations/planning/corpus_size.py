"""How large the corpora are that a plan is made for."""

from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from eegdiffusion.core.runtime.settings import settings, validate
from eegdiffusion.core.runtime.yaml_text import parse_yaml

Splits = dict[str, int]
"""``train``, ``validation`` and ``test`` -> a number."""


@settings
class EventCorpusSize:
    """Size of a corpus of EEG with annotated events."""

    about: str
    """Where the numbers are from."""
    recordings: int
    """Number of recordings."""
    hours: float
    """Their length together in hours."""
    raw_bytes: int
    """Bytes of the corpus's files."""
    raw_channels: int
    """Channels of a recording."""
    raw_rate_hz: float
    """Sampling rate of a recording in Hz."""
    classes: int
    """Classes of the windows."""
    rows: Splits
    """Labelled rows of each split; a window has one for each channel that shows an event."""
    windows: Splits
    """Windows of each split, each once."""


@settings
class ImageCorpusSize:
    """Size of a corpus of EEG that was recorded while images were seen."""

    about: str
    """Where the numbers are from."""
    subjects: int
    """Number of subjects."""
    images: Splits
    """Images of each split that a subject sees."""
    repetitions: Splits
    """How often a subject sees an image of each split."""
    concepts: int
    """Concepts of all images."""
    raw_channels: int
    """Channels of a recording."""
    raw_rate_hz: float
    """Sampling rate of a recording in Hz."""
    channels: int
    """Electrodes of an epoch."""
    raw_bytes: int
    """Bytes of the corpus's files."""
    sessions: int = 1
    """Recordings of a subject, which are read one at a time."""
    image_side: int = 500
    """Side of an image's file in pixels."""

    @property
    def all_images(self) -> int:
        """Images of all splits."""
        return sum(self.images.values())

    def trials(self, *splits: str) -> int:
        """Return the trials of a subject in some splits, or in all."""
        return sum(self.images[split] * self.repetitions[split] for split in splits or self.images)


@dataclass(frozen=True)
class CorpusSizes:
    """Sizes of all corpora.

    Attributes:
        events: entry of ``event_corpora`` -> its size.
        images: entry of ``image_corpora`` -> its size.
        unknown: entry whose size nothing tells -> what to do about it.
    """

    events: dict[str, EventCorpusSize] = field(default_factory=dict)
    images: dict[str, ImageCorpusSize] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)


@settings
class _Published:
    """``published_sizes.yaml``: sizes by layout."""

    events: dict[str, EventCorpusSize]
    """Sizes of corpora with annotated events, by the layout of their files."""
    images: dict[str, ImageCorpusSize]
    """Sizes of corpora recorded while images are seen, by the layout of their files."""


@cache
def published_sizes() -> CorpusSizes:
    """Return the sizes of published corpora by their layout."""
    path = files("eegdiffusion.operations.planning").joinpath("published_sizes.yaml")
    read = validate(parse_yaml(path.read_text("utf-8"), str(path)), _Published, str(path))
    return CorpusSizes(read.events, read.images)
