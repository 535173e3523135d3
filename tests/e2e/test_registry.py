"""The registry over a real tiny run: cards, figures, origin; made again; and seen in a browser."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

import mlflow
import numpy as np
import pandas
import pytest
import yaml

from eegdiffusion.commands.reproduce import command as reproduce_command
from eegdiffusion.commands.reproduce import compare
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.hashing import content_hash
from eegdiffusion.events.results.champion_predictions import read_champion
from eegdiffusion.operations.registry.card import DESCRIPTION_LIMIT
from eegdiffusion.report.metric_outputs import outputs_of_metric
from tests import planted, registered_versions
from tests.browser import needs_chromium, open_page
from tests.e2e.workspace import environment, module

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def registered(workspace):
    """The workspace with LFT and backbone registered and gated; params.yaml is changed there, and not committed."""
    registry = workspace / "mlflow" / "registry.yaml"
    document = yaml.safe_load(registry.read_text())
    document = {name: document[name] for name in ("ssmdp", "lft")}
    document["lft"]["gate"]["floor"] = -1.0
    document["ssmdp"]["gate"]["floor"] = 0.0001  # nothing is that good
    registry.write_text(yaml.safe_dump(document))
    (workspace / "eegdiffusion" / "new.py").write_text('"""Code that git does not track yet."""\n')
    module(workspace, "register")
    module(workspace, "promote")
    return workspace


@pytest.fixture
def client(registered, monkeypatch):
    uri = f"sqlite:///{registered}/mlruns/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    return mlflow.MlflowClient()


@pytest.fixture
def reproduce(registered, client, monkeypatch):
    """The command, in this process."""
    monkeypatch.chdir(registered)
    monkeypatch.setenv("PATH", environment()["PATH"])
    return partial(reproduce_command.main, standalone_mode=False)


def artifacts(client, version):
    """Paths of the model's artifacts, two levels deep."""
    model_id = version.source.removeprefix("models:/")
    found = client.list_logged_model_artifacts(model_id)
    for folder in [item.path for item in found if item.is_dir]:
        found += client.list_logged_model_artifacts(model_id, folder)
    return {item.path for item in found}


@pytest.mark.parametrize(
    "target",
    ["models/lft/recorded/seed-0/metrics.json:cohen_kappa", "lft_cohen_kappa_mean", "lft/1", "models:/ssmdp/1"],
)
def test_a_number_or_a_version_leads_to_the_recordings(registered, target):
    # As `eeg lineage lft` does once there is a champion.
    document = json.loads(module(registered, "lineage", target, "--json").stdout)
    (corpus,) = document["corpora"]
    root = registered / corpus["root"]
    files = {path.relative_to(root).as_posix(): content_hash(path) for path in root.rglob("*.edf")}
    assert {row["path"]: row["sha256"] for row in corpus["recordings"]} == files
    stages = {stage["name"].partition("@")[0] for stage in document["stages"]}
    assert {"ingest_events", "preprocess_events", "pretrain_ssmdp"} <= stages
    assert ("finetune_lft" in stages) == ("ssmdp" not in target)
    assert not any("made again since" in row for stage in document["stages"] for row in stage["inputs"])


def test_every_number_of_the_report_is_of_some_results(workspace):
    numbers = json.loads((workspace / "reports/metrics.json").read_text())
    numbers |= json.loads((workspace / "reports/headline.json").read_text())
    lock = yaml.safe_load((workspace / "dvc.lock").read_text())["stages"]
    outputs = [out["path"] for stage in lock.values() for out in stage["outs"]]
    assert not [name for name in numbers if not outputs_of_metric(name, outputs)]


def test_a_card_says_what_the_version_is(workspace, client):
    version = client.get_model_version("lft", "1")
    seeds = [json.loads((workspace / f"models/lft/recorded/seed-{k}/metrics.json").read_text()) for k in (0, 1)]
    card = version.description
    lock = yaml.safe_load((workspace / "dvc.lock").read_text())["stages"]
    (latents,) = lock["cache_latents@base"]["outs"]
    values = [seed["balanced_accuracy"] for seed in seeds]
    for part in (
        "**Surrogate data: its scores say that the workflow works, and nothing about a clinical task.**",
        "Licence: BSD-3-Clause",
        f"fingerprint `{seeds[0]['preprocessing'][:16]}`",
        f"| `data/latents/base` | `{latents['md5']}` |",
        f"| balanced_accuracy | {np.mean(values):.4f} | {np.std(values, ddof=1):.4f} | 2 |",
        "n counts training seeds (0, 1)",
        f"{seeds[0]['parameters']:,} parameters were trained",
        "Not a medical device",
        "## Limits",
        "## Ethics",
        version.tags["git.revision"],
        version.tags["dvc.lock"],
    ):
        assert part in card, f"{part}\n{card}"
    assert len(card) <= DESCRIPTION_LIMIT
    assert version.tags["split_hash"] == seeds[0]["split_hash"]
    assert version.tags["dvc.stage"].startswith("finetune_lft@recorded-")


def test_cards_figures_and_origin_are_artifacts_of_model_and_run(client):
    common = {"model_card/README.md", "model_card/figures", "provenance/1"}
    origin = {f"provenance/1/{name}" for name in ("dvc.lock", "metrics.json", "uncommitted.patch")}
    for name in ("lft", "ssmdp"):
        version = client.get_model_version(name, "1")
        assert common <= artifacts(client, version)
        kept = client.list_logged_model_artifacts(version.source.removeprefix("models:/"), "provenance/1")
        assert {item.path for item in kept} == origin | ({"provenance/1/predictions"} if name == "lft" else set())
        assert "model_card" in {item.path for item in client.list_artifacts(version.run_id)}
        figures = {item.path for item in client.list_artifacts(version.run_id, "model_card/figures")}
        wanted = {"lft": {"confusion", "learning_curves"}, "ssmdp": {"generated", "learning_curves"}}[name]
        assert figures == {f"model_card/figures/{figure}.png" for figure in wanted}
        info = mlflow.models.get_model_info(f"models:/{name}/1")
        assert info.signature.inputs
        assert info.signature.outputs
        assert info.saved_input_example_info


def test_the_card_loads_the_model(client):
    (code,) = re.findall(r"```python\n(.*?)```", client.get_model_version("lft", "1").description, re.DOTALL)
    variables = environment() | {"MLFLOW_TRACKING_URI": mlflow.get_tracking_uri()}
    done = subprocess.run([sys.executable, "-c", code], cwd="/", env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = re.findall(r"\[([^\[\]]+)\]", done.stdout)
    assert len(rows) == 2, done.stdout
    assert all(abs(sum(map(float, row.split())) - 1) < 1e-3 for row in rows), done.stdout


def test_the_predictions_of_the_champion_are_kept_for_the_report(registered, workspace):
    champion = read_champion("lft", workspace / "models" / "champions")
    assert champion.version == "1"
    assert list(champion.predictions) == ["seed-0", "seed-1"]
    for training, table in champion.predictions.items():
        assert table.equals(pandas.read_parquet(workspace / "models/lft/recorded" / training / "predictions.parquet"))
    assert read_champion("ssmdp", workspace / "models" / "champions") is None


def test_the_gate_let_one_through_and_told_the_other(client):
    assert client.get_model_version_by_alias("lft", "champion").version == client.get_model_version("lft", "1").version
    assert "champion" not in client.get_registered_model("ssmdp").aliases
    assert "validation_loss threshold = 0.0001" in client.get_model_version("ssmdp", "1").tags["gate"]


def test_a_version_is_made_again_from_an_uncommitted_tree(workspace, client):
    params = workspace / "params.yaml"
    then, runs = params.read_text(), len(mlflow.search_runs(experiment_names=["finetune_lft"]))
    module(workspace, "params", "set", "finetune_lft.optimisation.max_epochs=7")  # not what it was trained with
    try:
        done = module(workspace, "reproduce", "models:/lft@champion")
    finally:
        params.write_text(then)
    assert "with uncommitted changes" in done.stdout
    assert "models:/lft/1: the same within 0.01, all files bit for bit" in done.stdout, done.stdout[-2000:]
    tags = client.get_model_version("lft", "1").tags
    assert "the same within 0.01" in tags["reproduced"]
    again = workspace / "runs" / "reproduce-lft-1"
    assert (again / tags["result"] / "lft" / "diffusion_pytorch_model.safetensors").is_file()
    assert (again / "params.yaml").read_text() == then
    assert (again / "eegdiffusion" / "new.py").is_file()
    assert len(mlflow.search_runs(experiment_names=["finetune_lft"])) == runs, (
        "the registry's experiments have no copies"
    )


def test_metrics_that_differ_are_not_the_same():
    assert compare({"a": 0.5, "b": 1.0}, {"a": 0.504, "b": 1.0}, 0.01)[1]
    table, same = compare({"a": 0.5, "b": 1.0}, {"a": 0.52, "b": 1.0}, 0.01)
    assert not same
    assert "0.02" in table
    assert not compare({"a": 0.5}, {"a": float("nan")}, 0.01)[1]


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"git.revision": "0" * 40 + "-dirty"}, "revision: '" + "0" * 40 + "' is not in"),
        ({"git.revision": "0" * 40}, f"uncommitted.patch: must not be there, as {'0' * 40} was recorded without"),
        ({"dvc.lock": "0" * 64}, "dvc.lock is not the one that the tag 'dvc.lock' has the hash of"),
        ({"result": "models/none"}, "dvc.lock has no stage that makes models/none"),
        ({}, "its artifacts provenance/"),
        ({"imported.file": "a.ckpt"}, "was imported from a.ckpt"),
    ],
)
def test_what_cannot_be_had_is_named(client, reproduce, tmp_path, tags, message):
    version = client.get_model_version("lft", "1")
    broken = client.create_model_version("lft", version.source, version.run_id, version.tags | tags).version
    if tags:
        kept = mlflow.artifacts.download_artifacts(artifact_uri="models:/lft/1/provenance/1", dst_path=str(tmp_path))
        client.log_model_artifacts(version.source.removeprefix("models:/"), kept, f"provenance/{broken}")
    with pytest.raises(InputError, match=rf"models:/lft/{broken}: is refused: its files (are not those that|were) "):
        reproduce([f"models:/lft/{broken}"])
    registered_versions.sign(client.get_model_version("lft", broken))
    with pytest.raises(InputError, match=re.escape(message)):
        reproduce([f"models:/lft/{broken}"])
    with pytest.raises(InputError, match="lft has no version 99; it has versions 1"):
        reproduce(["models:/lft/99"])


def test_no_patch_is_applied_that_is_not_signed(registered, client, reproduce):
    version = client.get_model_version("ssmdp", "1")
    assert version.tags["git.revision"].endswith("-dirty")
    with pytest.raises(InputError, match=r"uncommitted\.patch: must be signed, as it is code that would run"):
        reproduce(["models:/ssmdp/1", "--unsigned"])
    folder = Path(
        mlflow.get_logged_model(version.source.removeprefix("models:/")).artifact_location.removeprefix("file://")
    )
    patch = folder / "provenance/1/uncommitted.patch"
    kept = patch.read_bytes()
    patch.write_bytes(kept + b"diff --git a/eegdiffusion/more.py b/eegdiffusion/more.py\n")
    with pytest.raises(InputError, match=r"is refused: .*altered: provenance/1/uncommitted\.patch"):
        reproduce(["models:/ssmdp/1"])
    patch.write_bytes(kept)


def test_data_that_are_gone_are_named(workspace, reproduce):
    cache = workspace / ".dvc" / "cache" / "files"
    cache.rename(cache.with_name("gone"))
    words = ["models:/ssmdp/1", "--no-training", "--workspace", "runs/other"]
    try:
        with pytest.raises(InputError, match="data/events/tuev/store: neither DVC's cache nor its remote has"):
            reproduce(words)
    finally:
        shutil.rmtree(cache, ignore_errors=True)
        cache.with_name("gone").rename(cache)
    assert reproduce(words) == 0, "once the data are there, the same folder goes on"
    code = workspace / "runs" / "other" / "eegdiffusion" / "events" / "models" / "ssmdp.py"
    code.write_text(code.read_text() + "# changed")
    with pytest.raises(InputError, match=r"pretrain_ssmdp@base was run with, .*: eegdiffusion/events/models \("):
        reproduce(words)


@pytest.fixture(scope="module")
def server(registered):
    """The server of `make mlflow`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with (registered / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "eegdiffusion.commands", "mlflow"],
            cwd=registered,
            env=environment(warm=False) | {"MLFLOW_PORT": str(port), "MLFLOW_DISABLE_TELEMETRY": "true"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + 300
    while True:
        try:
            urllib.request.urlopen(f"{address}/health", timeout=5).close()
            break
        except (urllib.error.URLError, OSError) as error:
            if getattr(error, "code", None) == 401:  # it answers who has its token
                break
            assert process.poll() is None, (registered / "server.log").read_text()[-3000:]
            assert time.monotonic() < deadline, (registered / "server.log").read_text()[-3000:]
            time.sleep(0.2)
    yield address
    os.killpg(process.pid, signal.SIGTERM)  # it has workers
    process.wait()


@needs_chromium
def test_nothing_that_a_run_leaves_names_the_patient_of_the_headers(registered):
    """Stores, manifests, models, MLflow's runs, registry and cards, the report, records and logs."""
    assert planted.marks_below(registered / "data/raw"), "they are named there"
    places = ("data/events", "models", "mlruns", "reports", ".work", "dvc.lock", "params.yaml")
    assert not planted.marks_below(*(registered / name for name in places))
    problems = pandas.read_parquet(registered / "data/events/tuev/index/problems.parquet")
    assert (problems["check"] == "identity").sum() >= 6


def test_people_see_it_in_a_browser(registered, server, client, tmp_path):
    version = client.get_model_version("lft", "1")
    run = client.get_run(client.get_model_version("ssmdp", "1").run_id).info
    printed = re.search(rf"{server}/\S+", (registered / "server.log").read_text())
    with open_page(tmp_path / "profile", timeout=60) as page:
        page.open(printed[0])  # as a person does; it lets the browser in
        page.wait("Experiments")
        page.open(f"{server}/#/experiments")
        page.wait("finetune_lft", "pretrain_ssmdp")

        page.open(f"{server}/#/experiments/{run.experiment_id}/runs/{run.run_id}")
        page.wait("PretrainSSMDP.optimisation.learning_rate", "validation_loss", "surrogate pretraining samples")
        page.click("Model metrics")
        page.wait("train_loss_step", f"{run.run_name} (validation_loss)")
        # A curve is a path through as many points as the run logged.
        points = len(client.get_metric_history(run.run_id, "validation_loss"))
        page.wait_for(
            f"[...document.querySelectorAll('.scatterlayer .points')].some(p => p.childElementCount === {points})"
        )
        page.click("Artifacts")
        page.click("generated.png")
        page.wait_for("[...document.querySelectorAll('img')].some(i => i.complete && i.naturalWidth > 800)")

        page.open(f"{server}/#/models")
        page.wait("lft", "ssmdp", "champion", "challenger")
        page.open(f"{server}/#/models/lft/versions/1")
        text = page.wait("champion", "Intended use", "Where it comes from", version.tags["git.revision"])
        assert "## Intended use" not in text, "the card is rendered, not shown as Markdown"
        assert page.evaluate("[...document.querySelectorAll('h2')].map(h => h.innerText).includes('Ethics')")
        assert page.evaluate("[...document.querySelectorAll('td')].some(d => d.innerText === 'balanced_accuracy')")
        assert not page.problems, page.problems
