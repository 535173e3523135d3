"""Fixtures of all tests: a fixed number of threads, quiet libraries, and the state that a test may change put back."""

import atexit
import contextlib
import logging
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import pytest
from filelock import FileLock

from eegdiffusion.core.runtime.threads import set_thread_defaults
from tests.tracking_uri import tracking_uri_restored

set_thread_defaults()  # before anything that computes is loaded


def _make_signing_key():
    """Make the key that models are signed with in all tests, and in the processes that they start; not the user's."""
    from eegdiffusion.operations.registry import signing_keys

    folder = Path(tempfile.mkdtemp(prefix="keys-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ.pop(signing_keys.SIGNING_VARIABLE, None)
    os.environ[signing_keys.TRUSTED_VARIABLE] = str(folder / "trusted")
    os.environ[signing_keys.SIGNING_VARIABLE] = str(signing_keys.create_key("tests", folder).path)


if "PYTEST_XDIST_WORKER" not in os.environ:  # workers have that of the process that started them
    _make_signing_key()

KINDS = {
    "warm": "service",
    "stages": "stage",
    "dags": "service",
    "predict": "service",
    "tracking": "service",
    "e2e": "pipeline",
    "containers": "container",
}
"""Markers by folder; what lies in none of these is ``unit``, unless it says otherwise."""
ORDER = ("pipeline", "service", "container", "stage", "unit")
"""Kinds of tests, the slowest files first."""
SLOWEST = (
    "e2e/test_pipeline.py",
    "dags/test_server.py",
    "dags/test_retrain.py",
    "e2e/test_registry.py",
    "dags/test_reliability.py",
    "dags/test_isolated.py",
)
"""Files that begin before all others, by benchmarks/tests.md."""


def pytest_collection_modifyitems(items):
    """Mark each test by the folder that it lies in, so that ``-m`` chooses by what a test starts.

    What takes longest goes first, so that several processes end at about the same time; but not two files at once that
    wait for one workspace.
    """
    for item in items:
        path = item.path.relative_to(item.config.rootpath / "tests")
        if not any(item.get_closest_marker(kind) for kind in ORDER):
            item.add_marker(KINDS.get(path.parts[0], "unit"))
    places = {}  # of files, which stay whole
    for item in items:
        name = item.path.relative_to(item.config.rootpath / "tests").as_posix()
        kind = next(k for k, kind in enumerate(ORDER) if item.get_closest_marker(kind))
        place = (SLOWEST.index(name) if name in SLOWEST else len(SLOWEST), kind)
        places[item.path] = min(place, places.get(item.path, place))
    items.sort(key=lambda item: places[item.path])


def pytest_runtest_makereport(item, call):
    """Remember what failed in a file whose tests build on each other."""
    if call.excinfo and item.get_closest_marker("ordered") and not call.excinfo.errisinstance(pytest.skip.Exception):
        item.parent.failed_first = getattr(item.parent, "failed_first", item.name)


def pytest_runtest_setup(item):
    """Say of a test in such a file that an earlier one failed, in place of its own trouble."""
    first = getattr(item.parent, "failed_first", None)
    if first and item.get_closest_marker("ordered"):
        pytest.fail(f"not run, as {first} has failed, on which it builds", pytrace=False)


@pytest.fixture(scope="session")
def make_once(tmp_path_factory):
    """Make a folder once a session, also where files run in several processes: a function of its name and its maker."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root

    def folder(name, make):
        path, complete = root / name / "made", root / name / "complete"
        path.parent.mkdir(exist_ok=True)
        with FileLock(root / f"{name}.lock"):
            if not complete.exists():
                shutil.rmtree(path, ignore_errors=True)  # a process before this one failed
                path.mkdir()
                make(path)
                complete.touch()
        return path

    return folder


@pytest.fixture(autouse=True)
def _quiet():
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")


@contextlib.contextmanager
def _import_path_restored():
    path = list(sys.path)
    yield
    sys.path[:] = path


@pytest.fixture(autouse=True, scope="module")
def _import_path_of_module():
    """Let no process that a later file starts import what this file put first, such as the code of a loaded model."""
    with _import_path_restored():
        yield


@pytest.fixture(autouse=True)
def _import_path():
    with _import_path_restored():
        yield


@pytest.fixture(autouse=True, scope="module")
def _tracking_uri_of_module():
    """Let no file's fixtures change where the next file's tests log to."""
    with tracking_uri_restored():
        yield


@pytest.fixture(autouse=True)
def _tracking_uri():
    with tracking_uri_restored():
        yield
