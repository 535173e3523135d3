"""Corpora of EEG with annotated events: where each lies, and by which rules it is taken in."""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from eegdiffusion.core.runtime.settings import settings

Layout = Literal["tuev"]
"""How a corpus lies on disk; ``tuev``: the TUH EEG Events corpus, EDF files with ``.rec`` files beside them."""


@settings
class EventCorpus:
    """Where a corpus of EEG events lies, and how."""

    root: str
    """Folder of the corpus; in the layout ``tuev`` the folder ``edf/``, which holds ``train/`` and ``eval/``."""
    layout: Layout
    """Layout of its files, which chooses the reader."""


@settings
class Ingestion:
    """Rules by which the recordings of a corpus are accepted and divided."""

    max_bad_fraction: Annotated[float, Ge(0), Lt(1)] = 0.05
    """Largest share of unusable recordings that ingestion leaves out; a larger one stops the run."""
    validation_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2
    """Share of the training subjects whose recordings make up the validation split."""
    split_seed: Annotated[int, Ge(0)] = 4523
    """Seed of the draw of the validation subjects."""
