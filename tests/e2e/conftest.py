"""One run of the whole pipeline for all files: made once a session, also where files run in several processes."""

import os
import shutil

import pytest
from filelock import FileLock

from tests.e2e.workspace import command, make


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory):
    """A workspace in which `dvc repro` has run; others copy it."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    path = root / "pipeline" / "workspace"
    with FileLock(root / "pipeline.lock"):
        if not (path / "reports").is_dir():
            shutil.rmtree(path, ignore_errors=True)  # a process before this one failed
            command(make(path), "dvc", "repro")
    return path


@pytest.fixture(scope="module")
def workspace(pipeline, tmp_path_factory):
    """A copy of that workspace for one file."""
    return shutil.copytree(pipeline, tmp_path_factory.mktemp("e2e") / "workspace", symlinks=True)
