"""``eeg adapt``: from a training's folder or a registered model to a signed version without an alias, and refusals."""

import os
import shutil
from pathlib import Path

import mlflow
import numpy as np
import pandas
import pytest
import torch

from eegdiffusion.commands.adapt import command
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.adaptation.adapted_encoder import load_adapted
from eegdiffusion.images.corpora.image_corpus import Continuous
from eegdiffusion.operations.registry import signing_keys
from eegdiffusion.operations.registry.load_registered_model import load_registered_model
from tests.aligned_subjects import train_model, write_store
from tests.e2e.workspace import ROOT
from tests.image_workspace import entered
from tests.registered_versions import register

BASE = ["sub-02", "--corpus", "planted", "--step", "0.5", "--block", "5"]


def eeg_adapt(*words: str) -> None:
    command.main([str(word) for word in words], standalone_mode=False)


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone with a corpus of three subjects, and a registered model of the first one."""
    with entered(tmp_path_factory.mktemp("adapting"), registry=True) as path:
        write_store(path / "planted", ["sub-01", "sub-02", "sub-03"], noise=1.0)
        for part, folder in (("images", "images"), ("features", "image_features")):
            (path / "data" / folder).mkdir(parents=True)
            shutil.move(path / "planted" / part, path / "data" / folder / "planted")
            (path / "planted" / part).symlink_to(path / "data" / folder / "planted")
        shutil.copy(ROOT / "params.yaml", path)
        shutil.copy(ROOT / "dvc.yaml", path)
        train_model(path / "planted", ["sub-01"], ["sub-01"], path / "models/base", path / "work")
        mlflow.set_tracking_uri(f"sqlite:///{path}/mlruns/mlflow.db")
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{path}/mlruns/mlflow.db"
        (path / "mlruns").mkdir()
        signing_keys.signing_key()
        mlflow.set_experiment("train_eeg_encoder")
        with mlflow.start_run():
            register("eeg-aligned", path / "models/base", {"corpus": "surrogate planted"})
        yield path
        del os.environ["MLFLOW_TRACKING_URI"]
        mlflow.set_tracking_uri(None)


def test_a_registered_model_is_adapted_and_registered_signed_and_without_alias(clone, capsys):
    eeg_adapt(*BASE, "--model", "models:/eeg-aligned/1")
    said = capsys.readouterr().out
    folder = Path("models/adapted/eeg-adapted-planted-sub-02")
    table = pandas.read_csv(folder / "curve.csv")
    assert (folder / "curve.png").stat().st_size > 10_000
    assert "models:/eeg-adapted-planted-sub-02/1" in said
    assert "by chance top1 0.050, top5 0.250" in said
    assert "1 min, unseen: top1" in said
    client = mlflow.MlflowClient()
    version = client.get_model_version("eeg-adapted-planted-sub-02", "1")
    assert version.aliases == []
    assert version.tags["adapted.from"] == "models:/eeg-aligned/1"
    assert version.tags["adapted.subject"] == "sub-02"
    chosen = table[table["chosen"]].iloc[-1]
    assert float(version.tags["top1.mean"]) == pytest.approx(chosen["top1"], abs=1e-4)
    assert "adapted to the EEG of one person" in version.description
    assert "eeg reproduce" not in version.description
    loaded = load_registered_model("models:/eeg-adapted-planted-sub-02/1")  # verifies files and tags
    example = np.load(folder / "example.npy")
    predicted = loaded.predict(example)
    python = loaded.unwrap_python_model()
    own = load_adapted(folder)(torch.from_numpy(python.input(example).astype(np.float32))).detach().numpy()
    np.testing.assert_allclose(predicted, own + python.mean, atol=1e-5)
    client.set_model_version_tag("eeg-adapted-planted-sub-02", "1", "adapted.subject", "sub-03")
    with pytest.raises(InputError, match=r"adapted\.subject"):
        load_registered_model("models:/eeg-adapted-planted-sub-02/1")


def test_the_folder_of_a_training_is_adapted_and_nothing_registered(clone, tmp_path):
    out = tmp_path / "out"
    eeg_adapt(*BASE, "--model", "models/base", "--out", out, "--name", "other", "--no-register", "--minutes", "0.5")
    assert pandas.read_csv(out / "curve.csv")["minutes"].max() == pytest.approx(0.5)
    assert not mlflow.MlflowClient().search_registered_models("name='other'")
    with pytest.raises(InputError, match=r"--out: .*is there already"):
        eeg_adapt(*BASE, "--out", out)
    eeg_adapt(*BASE, "--model", "models/base", "--out", out, "--no-register", "--minutes", "0.2", "--replace")
    assert pandas.read_csv(out / "curve.csv")["minutes"].max() < 0.2


def test_what_cannot_be_adapted_is_refused_by_name(clone, tmp_path):
    with pytest.raises(InputError, match=r"SUBJECT: must be one that the model has not seen; .*sub-01"):
        eeg_adapt("sub-01", *BASE[1:], "--model", "models:/eeg-aligned/1", "--out", tmp_path / "a")
    with pytest.raises(InputError, match=r"SUBJECT: must be one of sub-01, sub-02, sub-03"):
        eeg_adapt("sub-09", *BASE[1:], "--model", "models/base", "--out", tmp_path / "b")
    with pytest.raises(InputError, match=r"--corpus: data/images/nosuch/store.json: no such file; run `eeg repro"):
        eeg_adapt("sub-02", "--corpus", "nosuch")
    with pytest.raises(InputError, match=r"--step: must say the seconds from an image to the next, as the recordings"):
        eeg_adapt("sub-02", "--corpus", "planted", "--model", "models/base", "--out", tmp_path / "c")
    with pytest.raises(InputError, match=r"--replace|holds no earlier adaptation"):
        eeg_adapt(*BASE, "--out", clone / "models/base", "--replace")
    assert not list(tmp_path.glob("[abc]"))


def test_the_step_is_the_median_distance_of_trials():
    trials = Continuous(lambda a, b: np.zeros((1, b - a)), np.array([100, 150, 200, 900, 950]), 2000)
    assert trials.step == 50
    assert np.isnan(Continuous(trials._cut, np.array([7]), 10).step)
