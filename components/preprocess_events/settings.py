"""Settings of preprocessing."""

from typing import Annotated, Literal

from annotated_types import Ge

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.signal.filtering import Filtering


@settings
class PreprocessEvents:
    """Section ``preprocess_events``."""

    filtering: Filtering
    montage_sign: Literal["eegdm", "tuh"]
    """Signs of derivations 11 to 13 (see ``eegdiffusion.core.signal.montage``)."""
    workers: Annotated[int, Ge(0)]
    """Processes; 0: one for each core."""
    scheduler: str | None
    """Address of a Dask cluster that sees the same files, in place of local processes."""
