"""The layouts of event corpora, and the reader of each."""

from dataclasses import replace
from pathlib import Path

from eegdiffusion.core.recordings.channel_derivation import ChannelRecipe
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.events.corpora import bids, chbmit
from eegdiffusion.events.corpora.annotations import AnnotationsLayout
from eegdiffusion.events.corpora.corpus_reader import CorpusReader
from eegdiffusion.events.corpora.epochs import EpochsLayout
from eegdiffusion.events.corpora.event_corpus import EventCorpus, WindowLabels
from eegdiffusion.events.corpora.labelled_corpus import AnnotatedLayout, LabelledCorpus
from eegdiffusion.events.corpora.tuev_corpus import TuevCorpus
from eegdiffusion.events.corpora.tuh import FOLDERS, TuhLayout


def open_corpus(entry: EventCorpus, filtering: Filtering, recipe: ChannelRecipe) -> CorpusReader:
    """Open a corpus by the reader of its layout.

    Args:
        entry: entry of ``event_corpora``.
        filtering: what preprocessing will do to the recordings, which their rates must allow.
        recipe: how the channels of the corpus's montage follow from those of its recordings.

    Raises:
        InputError: a setting does not fit the layout.
    """
    root = Path(entry.root)
    if entry.layout == "tuev":
        return TuevCorpus(root, filtering, recipe)
    entry = _with_labels_of_layout(entry)
    layout = _annotated_layout(entry, filtering)
    return LabelledCorpus(root, layout, recipe, entry.labels, entry.window_s, filtering)


def _with_labels_of_layout(entry: EventCorpus) -> EventCorpus:
    """Put the classes of a layout in place where the entry says nothing of labels, and the windows of the papers."""
    if entry.layout == "chbmit" and entry.labels == WindowLabels():
        entry = replace(entry, labels=chbmit.LABELS)
    if entry.layout == "chbmit" and entry.protocol == "paper":
        if entry.labels != chbmit.LABELS or entry.window_s != chbmit.PAPER_WINDOW_S:
            rule = f"window_s must be {chbmit.PAPER_WINDOW_S:g}, and there are no labels, by the papers' protocol"
            raise InputError(f"params.yaml: event_corpora: {rule} (found window_s {entry.window_s:g})")
    elif entry.protocol == "paper":
        raise InputError("params.yaml: event_corpora: protocol: paper is of the layout chbmit alone")
    return entry


def _annotated_layout(entry: EventCorpus, filtering: Filtering) -> AnnotatedLayout:
    match entry.layout:
        case "annotations":
            return AnnotationsLayout()
        case "bids":
            return bids.BidsLayout(entry.labels.column, bids.read_splits(Path(entry.root)))
        case "tuh":
            values = [value.lower() for values in entry.labels.classes.values() for value in values]
            return TuhLayout(tuple(values) or FOLDERS)
        case "chbmit":
            return chbmit.ChbMitLayout(entry.protocol, filtering)
        case _:
            return EpochsLayout(entry.labels, entry.window_s, filtering)
