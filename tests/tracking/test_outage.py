"""A training stage tracked over HTTP while the MLflow server goes away: for a while, at the end, at the start."""

import json
import time

import mlflow
import pandas
import pytest

from eegdiffusion.core.observe.tracking import journal
from tests.mlflow_server import Server
from tests.tracking.workspace import make, pretrain

pytestmark = pytest.mark.timeout(300)
ROUNDS = 16


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    rounds = ["pretrain_ssmdp.optimisation.max_epochs=4", "pretrain_ssmdp.optimisation.validations_per_epoch=4"]
    generation = ["pretrain_ssmdp.generation.sampler=ddim", "pretrain_ssmdp.generation.ddim_steps=2"]
    return make(tmp_path_factory.mktemp("outage"), *rounds, *generation)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = Server(tmp_path_factory.mktemp("server"))
    yield found
    found.stop()


class Stage:
    """The stage as a process."""

    def __init__(self, workspace, server, log, wait_s):
        self.workspace, self.path = workspace, log
        environment = {"MLFLOW_TRACKING_URI": server.uri, "EEG_TRACKING_WAIT_SECONDS": str(wait_s)}
        self.process = pretrain(workspace, environment, log)

    @property
    def log(self):
        return self.path.read_text() if self.path.exists() else ""

    def ends_with(self, status):
        self.process.join(120)
        assert self.process.exitcode == status, self.log[-3000:]
        return self.log

    def wait(self, condition):
        deadline = time.monotonic() + 120
        while not condition():
            assert self.process.is_alive(), self.log[-3000:]
            assert time.monotonic() < deadline, self.log[-3000:]
            time.sleep(0.02)

    def wait_for_lines(self, count):
        self.wait(lambda: len(_lines(self.workspace)) >= count)


def _lines(workspace):
    """What the journal holds of training."""
    lines = [line for path in workspace.glob(f".work/*/*/{journal.NAME}") for line in path.read_text().splitlines(True)]
    found = [json.loads(line)["metrics"] for line in lines if line.endswith("\n")]
    return [metrics for metrics in found if "validation_loss" in metrics]


def _run(server):
    mlflow.set_tracking_uri(server.uri)
    newest = {"order_by": ["start_time DESC"], "max_results": 1, "output_format": "list"}
    return mlflow.search_runs(experiment_names=["pretrain_ssmdp"], **newest)[0]


def _check_complete(workspace, server):
    """All of the stage's parameters and curves are in the run, and its results and model."""
    run, client = _run(server), mlflow.MlflowClient()
    curves = pandas.read_csv(workspace / "models/ssmdp/base/curves.csv")
    assert run.info.status == "FINISHED"
    assert len(curves) == ROUNDS
    assert run.data.params["PretrainSSMDP.optimisation.max_epochs"] == "4"
    for name in ("validation_loss", "train_loss_epoch"):
        history = sorted(client.get_metric_history(run.info.run_id, name), key=lambda metric: metric.step)
        assert [metric.value for metric in history] == pytest.approx(curves[name].tolist(), nan_ok=True), name
    assert run.data.metrics.keys() >= {"system/cpu_utilization_percentage", "train_loss_step"}
    artifacts = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert {"curves.csv", "generated.png", "metrics.json"} <= artifacts
    reference = json.loads((workspace / "models/runs/ssmdp/base/mlflow.json").read_text())
    assert reference["run_id"] == run.info.run_id
    assert mlflow.get_logged_model(reference["model_id"]).status == "READY"
    assert not list(workspace.glob(f".work/*/*/{journal.NAME}"))
    return run


def test_a_server_that_is_away_at_the_start_is_named(workspace, server, tmp_path):
    log = Stage(workspace, server, tmp_path / "log", wait_s=2).ends_with(75)
    assert f"MLFLOW_TRACKING_URI: {server.uri} did not answer within 2 s" in log
    assert "Traceback" not in log


def test_training_goes_on_while_the_server_is_away_and_nothing_is_lost(workspace, server, tmp_path):
    stage = Stage(workspace, server, tmp_path / "log", wait_s=120)
    stage.wait(lambda: "waiting up to 120 s" in stage.log)
    server.start()
    stage.wait_for_lines(2)
    server.stop()
    stage.wait_for_lines(12)  # ten rounds without a server
    server.start()
    log = stage.ends_with(0)
    assert "MLflow does not take metrics" in log
    assert "MLflow answers again" in log
    _check_complete(workspace, server)


def test_a_server_that_stays_away_ends_the_stage_and_the_same_command_completes_its_run(
    workspace, server, tmp_path, monkeypatch, capsys
):
    server.start()
    stage = Stage(workspace, server, tmp_path / "log", wait_s=3)
    stage.wait_for_lines(5)
    server.stop()
    log = stage.ends_with(75)
    (kept,) = workspace.glob(f".work/*/*/{journal.NAME}")
    assert str(kept.relative_to(workspace)) in log
    assert "run the same command again" in log
    assert "Traceback" not in log
    assert len(_lines(workspace)) == ROUNDS
    server.start()
    left = _run(server)
    assert left.info.status == "RUNNING"
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    journal.main()
    assert left.info.run_id in capsys.readouterr().out
    assert len(mlflow.MlflowClient().get_metric_history(left.info.run_id, "validation_loss")) == ROUNDS
    Stage(workspace, server, tmp_path / "again", wait_s=60).ends_with(0)
    run = _check_complete(workspace, server)
    assert run.info.run_id == left.info.run_id
    assert run.data.tags["resumed"] == "True"
    assert float(run.data.tags["used.cpu_seconds"]) > 0
