"""Every command that the documents print is executed, as tests/docs/commands.yaml says."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import mlflow
import pytest
import yaml

from eegdiffusion.operations.registry.signing_keys import SIGNING_VARIABLE, TRUSTED_VARIABLE
from tests import registered_versions
from tests.docs.documents import commands
from tests.e2e import workspace
from tests.e2e.workspace import ROOT
from tests.predict import tiny_model
from tests.tracking_uri import tracking_uri_restored
from tests.warm.fork_server import programs

TABLE = yaml.safe_load((ROOT / "tests/docs/commands.yaml").read_text())
EXECUTED = [*TABLE["run"], *(row["run"] for row in TABLE["instead"])]
LISTED = [*TABLE["run"], *(row["command"] for row in TABLE["instead"]), *(row["command"] for row in TABLE["tested"])]


def test_every_command_is_listed_once_and_none_besides():
    assert sorted(LISTED) == sorted(commands())


def test_what_is_run_instead_is_the_same_program_and_has_a_reason():
    for row in TABLE["instead"]:
        programs = [
            next(word for word in row[key].split() if "=" not in word).replace("pre-commit", "python")
            for key in ("command", "run")
        ]
        assert programs[0] == programs[1], row
        assert len(row["why"]) > 10, row


@pytest.mark.parametrize("row", TABLE["tested"], ids=lambda row: row["command"])
def test_what_another_test_executes_is_named_there(row):
    assert row["words"] in (ROOT / row["by"]).read_text()


def _program(path: Path, *words: str) -> None:
    path.write_text(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n')
    path.chmod(0o755)


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone with an environment at .venv, a registered tiny model, and what the commands name."""
    path = workspace.copy(tmp_path_factory.mktemp("docs") / "clone")
    bin_folder = path / ".venv/bin"
    bin_folder.mkdir(parents=True)
    # The environment is the one that tests run in, its library the clone's own.
    python = programs() / "python"
    _program(bin_folder / "python", str(python))
    _program(bin_folder / "eeg", str(python), "-m", "eegdiffusion.commands")
    _program(bin_folder / "dvc", str(python.with_name("dvc")))
    shutil.copy(ROOT / ".venv/.installed", path / ".venv/.installed")
    (path / "data").mkdir(exist_ok=True)
    (path / "data/cache").symlink_to(ROOT / "data/cache")
    shutil.copytree(ROOT / "tests/golden/tuev_mini/edf", path / "corpus/edf")
    shutil.copy(ROOT / "tests/golden/published/backbone.ckpt", path)
    (path / "recordings").mkdir()
    for target in ("recording.edf", "recordings/recording.edf"):
        shutil.copy(tiny_model.EDF, path / target)
    shutil.copy(tiny_model.EDF.with_suffix(".rec"), path / "recording.rec")
    _write_report(path / "reports")
    _register(path)
    # Newer than what they are made from, so that make takes them as they are.
    for name in (".venv/.installed", ".venv/bin/python", ".venv/bin/eeg"):
        (path / name).touch()
    return path


def _write_report(folder: Path) -> None:
    """Write what DVC shows of a report."""
    (folder / "plots").mkdir(parents=True)
    names = ("lft", "retrieval", "concepts", "sgdm", "condiffusion")
    (folder / "headline.json").write_text(json.dumps(dict.fromkeys(names, -0.1234)))
    tables = {
        "confusion": "actual,predicted\nspsw,spsw\nspsw,gped\n",
        "validation_kappa": "epoch,lft,sparcnet,contrawr,lft_shuffled_labels\n1,0.1,0.1,0.2,0\n2,0.3,0.2,0.2,0\n",
        "pretraining_loss": "epoch,base,linear,nolaw\n1,0.3,0.2,0.3\n2,0.2,0.1,0.2\n",
    }
    for name, text in tables.items():
        (folder / "plots" / f"{name}.csv").write_text(text)


def _register(path: Path) -> None:
    (path / "mlruns").mkdir(exist_ok=True)
    with tracking_uri_restored():
        mlflow.set_tracking_uri(f"sqlite:///{path}/mlruns/mlflow.db")
        mlflow.create_experiment("finetune_lft", artifact_location=(path / "mlruns/artifacts").as_uri())
        mlflow.set_experiment("finetune_lft")
        with mlflow.start_run():
            folder = path / ".work/lft"
            tiny_model.write_tested(folder, {"least": 4, "whole": 0.5})
            for name in ("lft", "ssmdp"):
                version = registered_versions.register(name, folder, {"corpus": tiny_model.PREPROCESSING.corpus})
                mlflow.MlflowClient().set_registered_model_alias(name, "champion", version.version)


def _run(clone: Path, command: str) -> subprocess.CompletedProcess:
    """Run a command in a shell in which nothing is activated."""
    home = clone.parent / "home"
    home.mkdir(exist_ok=True)
    keys = {name: os.environ[name] for name in (SIGNING_VARIABLE, TRUSTED_VARIABLE)}
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home)} | keys
    return subprocess.run(
        ["bash", "-c", command], cwd=clone, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


@pytest.mark.service
@pytest.mark.parametrize("command", EXECUTED)
def test_a_command_of_the_documents_works(clone, command):
    done = _run(clone, command)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


@pytest.mark.service
def test_what_the_commands_say_that_they_write_is_there(clone):
    for command, names in {
        ".venv/bin/eeg predict recording.edf --out events.csv": [
            "events.csv",
            "events.edf",
            "events.json",
            "events.png",
        ],
        ".venv/bin/eeg predict recordings/ --out results/": ["results/recordings.csv"],
        ".venv/bin/eeg example recording recording.edf": ["recording.edf", "recording.rec"],
        ".venv/bin/dvc plots show": ["dvc_plots/index.html"],
    }.items():
        if not all((clone / name).is_file() for name in names):  # this test runs alone
            assert _run(clone, command).returncode == 0
        assert all((clone / name).is_file() for name in names)


@pytest.mark.service
def test_python_examples_run(clone, monkeypatch):
    """Each example by itself, with the arrays that it speaks of."""
    import numpy as np
    import torch

    from tests.docs.documents import blocks

    monkeypatch.chdir(clone)
    for command in (command for command in TABLE["run"] if "eeg export" in command):
        if not (clone / command.split()[3]).is_dir():  # this test runs alone
            assert _run(clone, command).returncode == 0
    examples = blocks("python")
    assert len(examples) >= 4
    noise = np.random.default_rng(0).standard_normal((2, 22, 1000)).astype(np.float32) * 0.2
    for path, example in examples:
        namespace = {"signals": torch.from_numpy(noise[:1]), "windows": noise}
        # Two windows of the recording tell as much as all.
        example = example.replace("from_numpy(signals)", "from_numpy(signals[:2])")
        exec(compile(example, str(path), "exec"), namespace)
        if "probabilities" in namespace:
            probabilities = np.asarray(namespace["probabilities"])
            assert probabilities.shape == (2, 6)
            assert np.allclose(probabilities.sum(1), 1, atol=1e-5)
        if "tokens" in namespace:
            assert torch.isfinite(namespace["tokens"]).all()
        if "loss" in namespace:
            gradients = [weight.grad for weight in namespace["adapted"].parameters() if weight.requires_grad]
            assert all(gradient is not None for gradient in gradients)
        if "logits" in namespace:
            assert namespace["logits"].shape == (2, 6)


@pytest.mark.service
def test_plots_are_shown_without_another_server(clone):
    _run(clone, ".venv/bin/dvc plots show")
    page = (clone / "dvc_plots/index.html").read_text()
    assert page.count("vegaEmbed('#") == 3
    assert all(f"/* {name} " in page for name in ("vega", "vega-lite", "vega-embed")), "the libraries are in the page"
    tags = re.sub(r"(<script[^>]*>).*?</script>", r"\1", page, flags=re.DOTALL)  # without what is in the libraries
    assert len(tags) < 10_000
    assert not re.findall(r"<[^>]*(?:src|href)\s*=", tags)
    assert "dvc_plots/" in (clone / ".gitignore").read_text()


@pytest.mark.service
def test_scores_fit_a_screen(clone):
    """Scores alone on one of 80 columns; beside them a field that an experiment changes, on one of 120."""
    commit = "git -c user.name=t -c user.email=t@t commit --quiet --message state"
    change = ".venv/bin/eeg params set pretrain_ssmdp.model.n_layer=3"
    assert _run(clone, f"git add --all && {commit} && {change}").returncode == 0
    shown = [command for command in TABLE["run"] if re.search(r"dvc (metrics|exp) show", command)]
    for command, columns in zip(sorted(shown, reverse=True), (80, 120), strict=True):
        text = _run(clone, command).stdout
        assert len(text.splitlines()) < 24
        assert max(map(len, text.splitlines())) <= columns, text
        assert all(name in text for name in ("lft", "condiffusion", "-0.123"))
    assert "pretrain_ssmdp.model.n_layer" in text
