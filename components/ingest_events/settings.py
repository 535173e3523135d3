"""Settings of ingestion."""

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.events.corpora.event_corpus import Ingestion


@settings
class IngestEvents(Ingestion):
    """Section ``ingest_events``: how every corpus of EEG events is checked and divided."""
