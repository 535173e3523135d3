"""The real EEG behind the surrogate corpus, for tests: fetched once into the cache, read once a process."""

from functools import cache
from pathlib import Path

from components.data import packages
from components.data.surrogate_tuev import Source
from components.surrogate_tuev.source import read_source

CACHE = Path(__file__).parents[1] / packages.CACHE


@cache
def source_recordings() -> Source:
    """Read the real EEG; the first call on a machine downloads 76 MB."""
    return read_source(CACHE)
