"""Backup and restore, tested by losing what was backed up: a real MLflow store, a real DVC remote, SQLite databases."""

import json
import shutil
import sqlite3
import sys
from contextlib import chdir, closing
from pathlib import Path

import mlflow
import pytest
from click.testing import CliRunner

from eegdiffusion.commands.backup import backup, restore
from eegdiffusion.core.runtime.errors import InputError
from tests.dvc_clone import make_clone, run
from tests.tracking_uri import tracking_uri_restored

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def finished(make_once):
    return make_once("lineage-clone", make_clone)


def log_run(clone, name):
    """Log a run with an artifact to the clone's store, as stages do."""
    with tracking_uri_restored():
        mlflow.set_tracking_uri(f"sqlite:///{clone}/mlruns/mlflow.db")
        if mlflow.get_experiment_by_name("stage") is None:
            mlflow.create_experiment("stage", artifact_location=(clone / "mlruns/artifacts/stage").as_uri())
        mlflow.set_experiment("stage")
        with mlflow.start_run(run_name=name) as active:
            mlflow.log_metric("cohen_kappa", 0.7)
            mlflow.log_text("weights", "model.txt")
        return active.info.run_id


ASK = """
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
run = mlflow.get_run(sys.argv[2])
print(run.data.metrics["cohen_kappa"], mlflow.artifacts.load_text(f"runs:/{sys.argv[2]}/model.txt"))
"""


def logged(clone, run_id):
    """What MLflow has of a run, asked by a process of its own: this one keeps the database of before open."""
    uri = f"sqlite:///{clone}/mlruns/mlflow.db"
    return run(clone, sys.executable, "-c", ASK, uri, run_id).strip()


def runs(clone):
    with closing(sqlite3.connect(clone / "mlruns/mlflow.db")) as database:
        return {row[0] for row in database.execute("select run_uuid from runs")}


@pytest.fixture
def clone(finished, tmp_path, monkeypatch):
    """A copy of the finished clone with a run in MLflow, an Airflow home, and what it made pushed to a remote."""
    for name in ("MLFLOW_TRACKING_URI", "AIRFLOW_HOME", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"):
        monkeypatch.delenv(name, raising=False)
    path = shutil.copytree(finished, tmp_path / "clone", symlinks=True)
    (path / "mlruns").mkdir()
    (path / ".airflow/logs").mkdir(parents=True)
    (path / ".airflow/logs/latest").symlink_to("nowhere")
    (path / ".airflow/airflow.cfg").write_text("[core]\n")
    with closing(sqlite3.connect(path / ".airflow/airflow.db")) as database:
        database.execute("create table dag_run (id text)")
        database.execute("insert into dag_run values ('manual__1')")
        database.commit()
    run(path, "dvc", "remote", "add", "-d", "storage", str(tmp_path / "remote"))
    run(path, "dvc", "push", "-q")
    with chdir(path):
        yield path


def call(command, *words):
    result = CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_all_that_was_lost_comes_back(clone, tmp_path):
    run_id = log_run(clone, "first")
    printed = call(backup, tmp_path / "monday")
    assert "mlflow, airflow, dvc-storage" in printed
    for lost in (clone / "mlruns", clone / ".airflow", tmp_path / "remote", clone / ".dvc/cache", clone / "models"):
        shutil.rmtree(lost)
    call(restore, tmp_path / "monday")
    assert logged(clone, run_id) == "0.7 weights"
    with closing(sqlite3.connect(clone / ".airflow/airflow.db")) as database:
        assert database.execute("select id from dag_run").fetchall() == [("manual__1",)]
    assert (clone / ".airflow/airflow.cfg").read_text() == "[core]\n"
    run(clone, "dvc", "pull", "-q", "models/lft/recorded/seed-0")
    assert json.loads((clone / "models/lft/recorded/seed-0/metrics.json").read_text()) == {"cohen_kappa": 0.6}


def test_yesterdays_backup_keeps_what_came_since_beside_it(clone, tmp_path):
    first = log_run(clone, "first")
    call(backup, tmp_path / "monday")
    second = log_run(clone, "second")
    printed = call(restore, tmp_path / "monday", "mlflow")
    assert ".before-" in printed
    assert logged(clone, first) == "0.7 weights"
    assert runs(clone) == {first}
    (former,) = clone.glob("mlruns.before-*")
    shutil.rmtree(clone / "mlruns")
    former.rename(clone / "mlruns")
    assert logged(clone, second) == "0.7 weights"


def test_a_database_that_is_being_written_is_copied_as_it_was_committed(clone, tmp_path):
    with closing(sqlite3.connect(clone / ".airflow/airflow.db")) as writer:
        writer.execute("pragma journal_mode=wal")
        writer.execute("insert into dag_run values ('committed')")
        writer.commit()
        writer.execute("insert into dag_run values ('not committed')")
        call(backup, tmp_path / "monday")
        writer.rollback()
    with closing(sqlite3.connect(tmp_path / "monday/airflow/airflow.db")) as copy:
        assert copy.execute("select id from dag_run order by id").fetchall() == [("committed",), ("manual__1",)]
    assert not list((tmp_path / "monday").rglob("*-wal"))


@pytest.mark.parametrize("damage", ["another", "missing"])
def test_a_damaged_backup_restores_nothing(clone, tmp_path, damage):
    run_id = log_run(clone, "first")
    call(backup, tmp_path / "monday")
    file = next(path for path in (tmp_path / "monday/mlflow").rglob("model.txt"))
    file.write_text("other!!") if damage == "another" else file.unlink()
    with pytest.raises(InputError, match="nothing was restored"):
        call(restore, tmp_path / "monday")
    assert logged(clone, run_id) == "0.7 weights"
    assert not list(clone.glob("*.before-*"))


def test_what_is_elsewhere_is_named_and_a_password_is_not(clone, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@mlflow.example")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://me:secret@db/airflow")
    run(clone, "dvc", "remote", "add", "far", "s3://bucket/path")
    printed = call(backup, tmp_path / "monday")
    assert "mlflow: left out: MLFLOW_TRACKING_URI is https://mlflow.example" in printed
    assert "airflow: left out" in printed
    assert "dvc-far: left out" in printed
    text = (tmp_path / "monday/backup.json").read_text()
    assert "secret" not in printed + text
    assert list(json.loads(text)["stores"]) == ["dvc-storage"]


def test_folders_and_clones_that_are_wrong_are_refused(clone, tmp_path):
    log_run(clone, "first")
    (tmp_path / "filled").mkdir()
    (tmp_path / "filled/mine.txt").write_text("mine")
    with pytest.raises(InputError, match="new or an empty folder"):
        call(backup, tmp_path / "filled")
    with pytest.raises(InputError, match="must not lie in"):
        call(backup, clone / "mlruns/monday")
    with pytest.raises(InputError, match=r"there is no backup\.json"):
        call(restore, tmp_path / "filled")
    call(backup, tmp_path / "monday")
    with pytest.raises(InputError, match="has no mlfow; it has mlflow"):
        call(restore, tmp_path / "monday", "mlfow")
    other = tmp_path / "other"
    other.mkdir()
    with chdir(other), pytest.raises(InputError, match="was made of the clone"):
        call(restore, tmp_path / "monday")
    (clone / "mlruns/link").symlink_to(tmp_path / "filled/mine.txt")
    with pytest.raises(InputError, match="must be a file"):
        call(backup, tmp_path / "tuesday")
    assert not Path(tmp_path, "tuesday", "backup.json").exists()
