"""A training stage tracked over HTTP while the MLflow server goes away: for a while, at the end, at the start."""

import json
import subprocess
import sys
import time

import mlflow
import pandas
import pytest

from components.tracking.journal import NAME
from tests.e2e.workspace import environment, make, module
from tests.mlflow_server import Server

pytestmark = pytest.mark.timeout(600)
STAGE = ("pretrain_ssmdp", "--backbone", "base")
ROUNDS = 16


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    path = make(tmp_path_factory.mktemp("outage") / "workspace")
    longer = ["pretrain_ssmdp.optimisation.max_epochs=4", "pretrain_ssmdp.optimisation.rounds_per_epoch=4"]
    module(path, "params", "set", *longer, "preprocess_tuev.workers=1")
    for stage in ("ingest_tuev", "preprocess_tuev"):
        module(path, stage)
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = Server(tmp_path_factory.mktemp("server"))
    try:
        found.start()
        yield found
    finally:
        found.stop()


def _environment(server, wait_s):
    return environment() | {"MLFLOW_TRACKING_URI": server.uri, "EEG_TRACKING_WAIT_SECONDS": str(wait_s)}


def _start(workspace, server, log, wait_s):
    words = [sys.executable, "-m", f"components.{STAGE[0]}", *STAGE[1:]]
    with log.open("w") as file:
        return subprocess.Popen(
            words, cwd=workspace, env=_environment(server, wait_s), stdout=file, stderr=subprocess.STDOUT
        )


def _lines(workspace):
    """What the journal holds of training."""
    lines = [line for path in workspace.glob(f".work/*/*/{NAME}") for line in path.read_text().splitlines(True)]
    found = [json.loads(line)["metrics"] for line in lines if line.endswith("\n")]
    return [metrics for metrics in found if "validation_loss" in metrics]


def _wait_for_lines(workspace, process, count):
    deadline = time.monotonic() + 120
    while len(_lines(workspace)) < count:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)


def _run(server):
    mlflow.set_tracking_uri(server.uri)
    newest = {"order_by": ["start_time DESC"], "max_results": 1, "output_format": "list"}
    return mlflow.search_runs(experiment_names=[STAGE[0]], **newest)[0]


def _check_complete(workspace, server):
    """All of the stage's curves are in the run, and its results and model."""
    run, client = _run(server), mlflow.MlflowClient()
    curves = pandas.read_csv(workspace / "models/ssmdp/base/curves.csv")
    assert run.info.status == "FINISHED" and len(curves) == ROUNDS
    for name in ("validation_loss", "train_loss_epoch"):
        history = sorted(client.get_metric_history(run.info.run_id, name), key=lambda metric: metric.step)
        history = [metric for metric in history if metric.step]  # the model's score stands at step 0
        assert [metric.value for metric in history] == pytest.approx(curves[name].tolist(), nan_ok=True), name
    assert run.data.metrics.keys() >= {"system/cpu_utilization_percentage", "train_loss_step"}
    artifacts = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert {"curves.csv", "generated.png", "metrics.json"} <= artifacts
    reference = json.loads((workspace / "models/runs/ssmdp/base/mlflow.json").read_text())
    assert reference["run_id"] == run.info.run_id
    assert mlflow.get_logged_model(reference["model_id"]).status == "READY"
    assert not list(workspace.glob(f".work/*/*/{NAME}"))
    return run


def test_training_goes_on_while_the_server_is_away_and_nothing_is_lost(workspace, server, tmp_path):
    process = _start(workspace, server, tmp_path / "log", wait_s=240)
    _wait_for_lines(workspace, process, 2)
    server.stop()
    _wait_for_lines(workspace, process, 12)  # ten rounds without a server
    server.start()
    assert process.wait(280) == 0, (tmp_path / "log").read_text()[-3000:]
    _check_complete(workspace, server)
    log = (tmp_path / "log").read_text()
    assert "MLflow does not take metrics" in log and "MLflow answers again" in log


def test_a_server_that_stays_away_ends_the_stage_and_the_same_command_completes_its_run(workspace, server, tmp_path):
    process = _start(workspace, server, tmp_path / "log", wait_s=3)
    _wait_for_lines(workspace, process, 5)
    server.stop()
    assert process.wait(280) == 75
    log = (tmp_path / "log").read_text()
    (journal,) = workspace.glob(f".work/*/*/{NAME}")
    assert str(journal.relative_to(workspace)) in log and "run the same command again" in log
    assert "Traceback" not in log and len(_lines(workspace)) == ROUNDS
    server.start()
    left = _run(server)
    assert left.info.status == "RUNNING"
    command_line = [sys.executable, "-m", "components.tracking.journal"]
    done = subprocess.run(command_line, cwd=workspace, env=_environment(server, 240), capture_output=True, text=True)
    assert done.returncode == 0 and left.info.run_id in done.stdout, done.stderr
    assert len(mlflow.MlflowClient().get_metric_history(left.info.run_id, "validation_loss")) == ROUNDS
    done = subprocess.run(
        [sys.executable, "-m", f"components.{STAGE[0]}", *STAGE[1:]],
        cwd=workspace,
        env=_environment(server, 240),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    run = _check_complete(workspace, server)
    assert run.info.run_id == left.info.run_id and run.data.tags["resumed"] == "True"


def test_a_server_that_is_away_at_the_start_is_named(workspace, server, tmp_path):
    server.stop()
    begin = time.monotonic()
    process = _start(workspace, server, tmp_path / "log", wait_s=2)
    assert process.wait(100) == 75 and time.monotonic() - begin < 60
    log = (tmp_path / "log").read_text()
    assert f"MLFLOW_TRACKING_URI: {server.uri} did not answer within 2 s" in log and "Traceback" not in log
