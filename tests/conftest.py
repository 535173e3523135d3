"""Fixtures of all tests: a fixed number of threads, quiet libraries, and the state that a test may change put back."""

import logging
import os
import warnings

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import pytest

from eegdiffusion.core.runtime.threads import set_thread_defaults

set_thread_defaults()  # before anything that computes is loaded

KINDS = {
    "stages": "stage",
    "dags": "service",
    "predict": "service",
    "tracking": "service",
    "e2e": "pipeline",
    "containers": "container",
}
"""Markers by folder; what lies in none of these is ``unit``."""


def pytest_collection_modifyitems(items):
    """Mark each test by the folder that it lies in, so that ``-m`` chooses by what a test starts."""
    for item in items:
        parts = item.path.relative_to(item.config.rootpath / "tests").parts
        item.add_marker(KINDS.get(parts[0], "unit"))


@pytest.fixture(autouse=True)
def _quiet():
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
