"""Fixtures of all tests: a fixed number of threads, quiet libraries, and the state that a test may change put back."""

import logging
import os
import warnings

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import pytest


@pytest.fixture(autouse=True)
def _quiet():
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
