"""A published checkpoint becomes a model of this project: on disk, in DVC, in the registry."""

import json
import shutil
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from dvc.repo import Repo
from safetensors.torch import load_file

from eegdiffusion import SSMDP, load_published_classifier
from eegdiffusion.commands.import_checkpoint import command
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.mulaw import mulaw
from eegdiffusion.events.models import signal_transform
from tests.e2e.workspace import ROOT
from tests.hostile_params import HOSTILE

PUBLISHED = ROOT / "tests" / "golden" / "published"


def main(words):
    """Run `eeg import-checkpoint`, or raise its error."""
    return command.main(words, standalone_mode=False)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    shutil.copytree(ROOT / "mlflow", tmp_path / "mlflow")
    shutil.copy(ROOT / ".gitignore", tmp_path)
    Repo.init(tmp_path, no_scm=True).close()
    return tmp_path


def test_a_backbone_can_stand_in_for_a_pretrained_one(workspace):
    main([str(PUBLISHED / "backbone.ckpt"), "--name", "paper", "--corpus", "TUEV"])
    backbone, embedded = signal_transform.load(Path("models/ssmdp/paper/backbone"))
    expected = load_file(PUBLISHED / "published_expected.safetensors")
    found = backbone(expected["x"], expected["diffusion_step"], expected["channel"])
    assert (found - expected["prediction_ema"]).abs().max() < 1e-4
    assert embedded.mu_law
    assert Path("models/ssmdp/paper.dvc").is_file()
    version = mlflow.MlflowClient().get_model_version("ssmdp", "1")
    facts = json.loads(Path("models/ssmdp/paper/imported.json").read_text())
    assert facts["corpus"] == "TUEV"
    assert facts["imported.file"] == "backbone.ckpt"
    assert version.tags == facts | {"card": "model_card/README.md"}
    for part in ("Not measured here", "Neural Engineering Data Consortium", facts["imported.sha256"]):
        assert part in version.description
    assert "Surrogate data" not in version.description
    with pytest.raises(InputError, match="models/ssmdp/paper: is there already"):
        main([str(PUBLISHED / "backbone.ckpt"), "--name", "paper"])
    Path("elsewhere").mkdir()
    shutil.rmtree("models/ssmdp/paper")
    Path("models/ssmdp/paper").symlink_to(Path("elsewhere").resolve())
    main([str(PUBLISHED / "backbone.ckpt"), "--name", "paper", "--replace"])
    assert not list(Path("elsewhere").iterdir())


def test_a_registered_classifier_gives_the_published_logits(workspace):
    main([str(PUBLISHED / "classifier.ckpt")])
    published = load_published_classifier(PUBLISHED / "classifier.ckpt")
    config = published.lft.config
    signals = 0.5 * np.random.default_rng(1).standard_normal((3, 22, 200 * config.n_pool), dtype=np.float32)
    with torch.inference_mode():
        expected = published(mulaw(torch.from_numpy(signals))).softmax(-1).numpy()
    assert expected.max(0).max() > expected.min() + 1e-3
    found = mlflow.pyfunc.load_model("models:/lft/1").predict(signals)
    assert np.abs(found - expected).max() < 1e-4
    assert mlflow.MlflowClient().get_model_version("ssmdp", "1")


def test_a_damaged_checkpoint_changes_nothing(workspace, tmp_path):
    state = {f"ema.ema_model.{name}": value for name, value in SSMDP(4, 4, 1, 8, 8).state_dict().items()}
    state.pop("ema.ema_model.in_layer.0.bias")
    state["ema.ema_model.label_embed.weight"] = torch.zeros(22, 5)
    torch.save({"state_dict": state}, tmp_path / "x.ckpt")
    with pytest.raises(InputError, match=r"missing weights: .*in_layer.0\.bias.*misshapen weights: .*label_embed"):
        main([str(tmp_path / "x.ckpt")])
    assert not Path("models").exists()
    assert not Path("mlflow.db").exists()


@pytest.mark.parametrize("option", ["--name", "--corpus"])
@pytest.mark.parametrize("name", [name for name in HOSTILE if name])
def test_a_name_stays_in_its_folder(option, name, workspace):
    kept = workspace / "kept" / "file"
    kept.parent.mkdir()
    kept.touch()
    with pytest.raises(InputError, match=f"^{option}: must be of letters"):
        main([str(PUBLISHED / "backbone.ckpt"), f"{option}={name}", "--replace"])
    with pytest.raises(InputError, match=r"^--name: must be of letters"):
        main([str(PUBLISHED / "backbone.ckpt"), "--name", "../../kept", "--replace"])
    assert kept.is_file()
    assert not Path("models").exists()
