"""One run of the whole pipeline for all files."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.workspace import command, make


@pytest.fixture(scope="session")
def pipeline(make_once):
    """A workspace in which `dvc repro` has run; others copy it."""
    return make_once("pipeline", lambda path: command(make(path), "dvc", "repro"))


@pytest.fixture(scope="module")
def workspace(pipeline, tmp_path_factory):
    """A copy of that workspace for one file."""
    folder = shutil.copytree(pipeline, tmp_path_factory.mktemp("e2e") / "workspace", symlinks=True)
    _move_artifacts(folder / "mlruns/mlflow.db", pipeline, folder)
    return folder


def _move_artifacts(store: Path, before: Path, now: Path) -> None:
    """Let a copied store keep its artifacts beside it: two files that register would write into the same folder."""
    with closing(sqlite3.connect(store)) as database, database:
        for table, column in (
            ("experiments", "artifact_location"),
            ("runs", "artifact_uri"),
            ("logged_models", "artifact_location"),
        ):
            moved = database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (str(before), str(now)))
            assert moved.rowcount, table
