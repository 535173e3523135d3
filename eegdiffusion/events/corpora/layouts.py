"""The layouts of event corpora, and the reader of each."""

from pathlib import Path

from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.events.corpora.corpus_reader import CorpusReader
from eegdiffusion.events.corpora.event_corpus import EventCorpus
from eegdiffusion.events.corpora.tuev_corpus import TuevCorpus


def open_corpus(entry: EventCorpus, filtering: Filtering) -> CorpusReader:
    """Open a corpus by the reader of its layout.

    Args:
        entry: entry of ``event_corpora``.
        filtering: what preprocessing will do to the recordings, which their rates must allow.
    """
    return TuevCorpus(Path(entry.root), filtering)
