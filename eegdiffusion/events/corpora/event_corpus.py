"""Corpora of EEG with annotated events: where each lies, and by which rules it is taken in."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from eegdiffusion.core.recordings.channel_derivation import ChannelRecipe
from eegdiffusion.core.runtime.names import Name
from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.signal.filtering import EEGDM_CHBMIT, Filtering
from eegdiffusion.core.signal.montages import ChannelIds, MontageChannel, choose_montage

Layout = Literal["tuev", "chbmit", "tuh", "bids", "annotations", "epochs"]
"""How a corpus lies on disk.

``tuev``: the TUH EEG Events corpus, EDF files with ``.rec`` files beside them; ``chbmit``: PhysioNet's, with summaries;
``tuh``: TUSZ and TUAB; ``bids``: EEG-BIDS with ``events.tsv``; ``annotations``: files with annotations of their own;
``epochs``: windows that are cut already.
"""


@settings
class WindowLabels:
    """What the windows of a corpus are labelled by, and where they lie."""

    classes: dict[str, list[str]] = field(default_factory=dict)
    """Values of the annotations that make up each class, by its name; `{}`: each value is a class of its own."""
    background: str | None = None
    """Class of the windows that no annotation reaches; null: they are left out."""
    column: str = "trial_type"
    """Column of the annotations' table that holds the values, in the layout `bids`."""
    place: Literal["grid", "onset"] = "grid"
    """Where windows lie: one after another through the recording, or one for each annotation, from its onset on."""
    stride_s: Annotated[float, Gt(0)] | None = None
    """Seconds from one window of the grid to the next; null: the length of a window."""
    offset_s: float = 0.0
    """Seconds from an annotation's onset to its window, where windows lie at onsets."""
    least_overlap: Annotated[float, Gt(0), Le(1)] = 0.5
    """Share of a window, or of an annotation that is shorter than it, that they must have in common on the grid."""


@settings
class EventCorpus:
    """Where a corpus of EEG events lies, and how."""

    root: str
    """Folder of the corpus; in the layout ``tuev`` the folder ``edf/``, which holds ``train/`` and ``eval/``."""
    layout: Layout
    """Layout of its files, which chooses the reader."""
    montage: Name = "tcp22"
    """Channels of its windows: a montage of the package (`tcp22`, `tcp22_tuh`, `tcp20`, `double_banana_16`,
    `referential19`) or of the section ``montages``."""
    channel_ids: ChannelIds = "tcp22"
    """Numbers of its channels for the backbone: those of TUEV's 22 derivations, the nearest where a channel is none of
    them, or `own`, for a backbone that is pretrained on this corpus."""
    rename: dict[str, str] = field(default_factory=dict)
    """Labels or electrodes that the recordings call otherwise, e.g. `{X1: A1}`."""
    references: dict[str, str] = field(default_factory=dict)
    """Electrodes whose signal is against another reference than their label says, and that one, e.g. `{C3: A2}`."""
    protocol: Literal["events", "paper"] = "events"
    """In the layout ``chbmit``: windows and subjects as here, or as in the papers, which mix them."""
    filtering: Filtering | None = None
    """Filters and rate of its recordings; null: those of ``preprocess_events``, and with ``protocol: paper`` those of
    the published windows of CHB-MIT."""
    window_s: Annotated[float, Gt(0)] = 5.0
    """Seconds in a window; in the layout ``tuev`` always 5."""
    labels: WindowLabels = field(default_factory=WindowLabels)
    """What windows are labelled by; the layout ``tuev`` has its own classes and windows."""


def channel_recipe(corpus: EventCorpus, montages: Mapping[str, Sequence[str | MontageChannel]]) -> ChannelRecipe:
    """Return how the recordings of a corpus become channels of its montage.

    Args:
        corpus: entry of ``event_corpora``.
        montages: the section ``montages``.

    Raises:
        InputError: there is no such montage, or its channels cannot be numbered.
    """
    montage = choose_montage(corpus.montage, montages, corpus.channel_ids)
    return ChannelRecipe(montage, corpus.rename, corpus.references)


def corpus_filtering(corpus: EventCorpus, common: Filtering) -> Filtering:
    """Return how the recordings of a corpus are filtered.

    Args:
        corpus: entry of ``event_corpora``.
        common: ``preprocess_events.filtering``.
    """
    return corpus.filtering or (EEGDM_CHBMIT if corpus.protocol == "paper" else common)


@settings
class Ingestion:
    """Rules by which the recordings of a corpus are accepted and divided."""

    max_bad_fraction: Annotated[float, Ge(0), Lt(1)] = 0.05
    """Largest share of unusable recordings that ingestion leaves out; a larger one stops the run."""
    test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2
    """Share of the subjects whose recordings make up the test split, where the corpus gives none."""
    validation_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2
    """Share of the other subjects whose recordings make up the validation split, where the corpus gives none."""
    split_seed: Annotated[int, Ge(0)] = 4523
    """Seed of the draw of subjects."""
