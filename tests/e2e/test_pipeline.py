"""The whole pipeline in a workspace of its own: run, rerun, change, kill, register, use."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import mlflow
import numpy as np
import pandas
import pytest
import yaml
from dvc.repo import Repo
from safetensors.torch import load_file
from sklearn.metrics import cohen_kappa_score

from tests.e2e.workspace import command, environment, module

pytestmark = pytest.mark.timeout(1800)


def _metrics(path):
    return json.loads((path / "metrics.json").read_text())


def test_every_stage_leaves_its_results(workspace):
    page, text = ((workspace / "reports" / f"report.{ending}").read_text() for ending in ("html", "md"))
    assert "surrogate" in text
    assert page.count("<table>") == len(re.findall(r"^\*\*Table \d+", text, re.M)) == 13
    figures = list((workspace / "reports" / "figures").glob("*.png"))
    assert (
        page.count('src="data:image/png;base64,')
        == len(re.findall(r"^\*\*Figure \d+", text, re.M))
        == len(figures)
        == 8
    )
    windows = pandas.read_parquet(workspace / "data/events/tuev/store/windows.parquet").query("split == 'test'")
    for kind in ("recorded", "shuffled"):
        for seed in (0, 1):
            folder = workspace / "models" / "lft" / kind / f"seed-{seed}"
            metrics, table = _metrics(folder), pandas.read_parquet(folder / "predictions.parquet")
            assert metrics["corpus"] == "surrogate"
            assert metrics["windows"] == len(windows) == len(table)
            labels, predicted = table["label"].to_numpy(), table.filter(regex=r"^p\d$").to_numpy().argmax(1)
            assert metrics["cohen_kappa"] == pytest.approx(cohen_kappa_score(labels, predicted))
            loss = pandas.read_csv(folder / "curves.csv")["train_loss"]
            assert np.isfinite(loss).all()
            assert kind == "shuffled" or loss.iloc[-1] < loss.iloc[0]
            if kind == "shuffled":  # within what labels that are shifted in time, and so have nothing to say, give
                shifts = range(1, len(labels))
                chance = [cohen_kappa_score(np.roll(labels, shift), predicted) for shift in shifts]
                assert min(chance) <= metrics["cohen_kappa"] <= max(chance)
    lock = yaml.safe_load((workspace / "dvc.lock").read_text())["stages"]
    with Repo(str(workspace)) as repo:
        assert lock.keys() == {stage.name for stage in repo.index.stages}
    assert not list((workspace / ".work").rglob("*.safetensors"))


def test_no_subject_crosses_the_splits(workspace):
    recordings = pandas.read_parquet(workspace / "data/events/tuev/index/recordings.parquet")
    assert (recordings.groupby("subject")["split"].nunique() == 1).all()
    windows = pandas.read_parquet(workspace / "data/events/tuev/store/windows.parquet")
    split = recordings.set_index("recording")["split"]
    assert (windows["recording"].map(split) == windows["split"]).all()
    assert windows["split"].nunique() == 3


def test_a_second_repro_runs_nothing(workspace):
    before = (workspace / "dvc.lock").read_bytes()
    printed = command(workspace, "dvc", "repro").stdout
    assert "Running stage" not in printed
    assert "up to date" in printed
    assert (workspace / "dvc.lock").read_bytes() == before


def test_a_changed_finetuning_parameter_reruns_finetuning_and_report_alone(workspace):
    module(workspace, "params", "set", "finetune_lft.optimisation.learning_rate=0.0004")
    printed = command(workspace, "dvc", "repro").stdout
    ran = {line.split("'")[1].partition("@")[0] for line in printed.splitlines() if line.startswith("Running stage")}
    assert ran == {"finetune_lft", "report"}


def test_datasets_carry_dvcs_hash_and_runs_lead_back(workspace):
    mlflow.set_tracking_uri(f"sqlite:///{workspace}/mlruns/mlflow.db")
    lock = yaml.safe_load((workspace / "dvc.lock").read_text())["stages"]
    digests = {out["path"]: out["md5"] for stage in lock.values() for out in stage["outs"]}
    reference = json.loads((workspace / "models/runs/lft/recorded/seed-0/mlflow.json").read_text())
    run = mlflow.get_run(reference["run_id"])
    assert {item.dataset.digest for item in run.inputs.dataset_inputs} == {digests["data/latents/base"]}
    assert run.data.tags["dvc.stage"] == "finetune_lft@recorded-0"
    assert run.data.tags["corpus"] == "surrogate"
    assert len(run.data.tags["git.revision"].removesuffix("-dirty")) == 40
    assert run.info.status == "FINISHED"
    metrics = _metrics(workspace / "models/lft/recorded/seed-0")
    assert run.data.metrics["test_cohen_kappa"] == pytest.approx(metrics["cohen_kappa"])
    history = mlflow.MlflowClient().get_metric_history(reference["run_id"], "train_loss_epoch")
    assert len(history) == 2


def test_models_are_registered_once_and_give_the_predictions_of_the_stage(workspace):
    module(workspace, "params", "set", "matrix.baselines=[contrawr]")
    registry = workspace / "mlflow" / "registry.yaml"
    document = yaml.safe_load(registry.read_text())
    del document["baseline-sparcnet"]  # not trained in this workspace
    registry.write_text(yaml.safe_dump(document))
    first = module(workspace, "register").stdout
    assert "models:/lft/1 " in first
    assert "models:/ssmdp/1 " in first
    assert module(workspace, "register").stdout == first

    mlflow.set_tracking_uri(f"sqlite:///{workspace}/mlruns/mlflow.db")
    version = mlflow.MlflowClient().get_model_version_by_alias("lft", "challenger")
    assert {"git.revision", "dvc.lock", "dvc.stage", "corpus", "cohen_kappa.mean", "seeds"} <= version.tags.keys()
    folder = workspace / version.tags["result"]
    code = (
        "import mlflow, numpy as np, json\n"
        f"mlflow.set_tracking_uri('sqlite:///{workspace}/mlruns/mlflow.db')\n"
        "model = mlflow.pyfunc.load_model('models:/lft@challenger')\n"
        f"print(json.dumps(model.predict(np.load('{folder}/example.npy')).tolist()))\n"
    )
    # Outside the repository: the registered model brings its own code.
    done = subprocess.run([sys.executable, "-c", code], cwd="/", env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = np.array(json.loads(done.stdout.splitlines()[-1]))
    predicted = pandas.read_parquet(folder / "predictions.parquet").iloc[:2]
    # The stage read tokens that the cache had rounded to 8 bits.
    assert np.abs(found - predicted[[f"p{k}" for k in range(6)]].to_numpy()).max() < 0.02


def test_pretraining_that_is_killed_ends_with_the_same_weights(workspace):
    out = workspace / "models" / "ssmdp" / "base" / "backbone" / "diffusion_pytorch_model.safetensors"
    whole = load_file(out)
    words = ["-m", "components.pretrain_ssmdp", "--backbone", "base"]
    process = subprocess.Popen(
        [sys.executable, *words], cwd=workspace, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while not list((workspace / ".work").rglob("last.safetensors")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    done = command(workspace, "python", *words)
    mlflow.set_tracking_uri(f"sqlite:///{workspace}/mlruns/mlflow.db")
    runs = mlflow.search_runs(experiment_names=["pretrain_ssmdp"], filter_string="tags.resumed = 'True'")
    assert len(runs) == 1, done.stderr[-2000:]
    resumed = load_file(out)
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        assert np.array_equal(value.numpy(), resumed[name].numpy()), name
