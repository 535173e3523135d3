"""The real EEG behind the surrogate corpus, for tests: fetched once into the cache, read once a process."""

from functools import cache
from pathlib import Path

from eegdiffusion.core.storage import packages
from eegdiffusion.surrogate.tuev.aeon_neuro import read_source
from eegdiffusion.surrogate.tuev.tuev_recordings import Source

CACHE = Path(__file__).parents[1] / packages.CACHE


@cache
def source_recordings() -> Source:
    """Read the real EEG; the first call on a machine downloads 76 MB."""
    return read_source(CACHE)
