"""Settings of ingestion."""

from typing import Annotated

from annotated_types import Ge, Gt, Lt

from eegdiffusion.core.runtime.settings import settings


@settings
class IngestTUEV:
    """Section ``ingest_tuev``."""

    root: str
    """The corpus's edf/ folder."""
    max_bad_fraction: Annotated[float, Ge(0), Lt(1)]
    """A larger share of unusable recordings stops the run."""
    validation_fraction: Annotated[float, Gt(0), Lt(1)]
    """Of the training subjects."""
    split_seed: Annotated[int, Ge(0)]
