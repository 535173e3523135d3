"""One run of the whole pipeline for all files."""

import shutil

import pytest

from tests.e2e.workspace import command, make


@pytest.fixture(scope="session")
def pipeline(make_once):
    """A workspace in which `dvc repro` has run; others copy it."""
    return make_once("pipeline", lambda path: command(make(path), "dvc", "repro"))


@pytest.fixture(scope="module")
def workspace(pipeline, tmp_path_factory):
    """A copy of that workspace for one file."""
    return shutil.copytree(pipeline, tmp_path_factory.mktemp("e2e") / "workspace", symlinks=True)
