"""Settings of preprocessing."""

from typing import Annotated

from annotated_types import Ge

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.signal.filtering import Filtering


@settings
class PreprocessEvents:
    """Section ``preprocess_events``: how the recordings of every corpus of EEG events are filtered."""

    filtering: Filtering
    """Filters and sampling rate, which ingestion checks recordings against as well; a corpus may have its own."""
    workers: Annotated[int, Ge(0)] = 0
    """Number of worker processes; 0 takes one for each core that may be used, if each has a GiB of memory."""
    scheduler: str | None = None
    """Address of a Dask cluster that sees the same files, in place of local processes."""
