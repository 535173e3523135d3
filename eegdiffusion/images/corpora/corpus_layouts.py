"""The layouts in which corpora of images and EEG are published, and the reader of each."""

from pathlib import Path
from typing import Literal

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.names import Name
from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.images.corpora import bids_eeg, eegcvpr40, things_eeg2
from eegdiffusion.images.corpora.eegcvpr40 import EEGCVPR40Files
from eegdiffusion.images.corpora.image_corpus import Corpus

Layout = Literal["things_eeg2_raw", "things_eeg2_preprocessed", "things_eeg1", "eegcvpr40", "kilogram"]

NAMES: dict[Layout, str] = {
    "things_eeg2_raw": "THINGS-EEG2",
    "things_eeg2_preprocessed": "THINGS-EEG2",
    "things_eeg1": "THINGS-EEG1",
    "eegcvpr40": "EEGCVPR40",
    "kilogram": "Kilogram",
}
"""Name of the corpus that a layout is of, where the corpus does not say another in ``corpus.json``."""


@settings
class ImageCorpus:
    """A corpus of EEG recorded while images are seen: an entry of the section ``image_corpora``."""

    root: str
    """Folder of the corpus."""
    layout: Layout
    """Layout of the corpus's files."""
    epochs: Name
    """Entry of the section ``epochs``, which says how epochs are cut."""
    images: str | None = None
    """Folder of the images, where it is not in the layout's place; of EEGCVPR40, ImageNet's folder."""
    eegcvpr40: EEGCVPR40Files | None = None
    """Which of EEGCVPR40's files are read; null for other layouts."""


def open_corpus(entry: ImageCorpus) -> Corpus:
    """Open a corpus by the reader of its layout.

    Raises:
        InputError: there is no such folder, or its files are not those of the layout.
    """
    root, images = Path(entry.root), Path(entry.images) if entry.images else None
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; image_corpora.*.root must be the corpus")
    if entry.layout == "eegcvpr40":
        return eegcvpr40.open_eegcvpr40(root, images, entry.eegcvpr40)
    readers = {
        "things_eeg2_raw": things_eeg2.open_raw,
        "things_eeg2_preprocessed": things_eeg2.open_preprocessed,
        "things_eeg1": bids_eeg.open_things_eeg1,
        "kilogram": bids_eeg.open_kilogram,
    }
    return readers[entry.layout](root, images)
