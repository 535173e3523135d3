"""`eeg export` writes verified models for others' code, and only to folders of its own."""

import json
import shutil

import mlflow
import numpy as np
import onnxruntime
import pytest
import torch
from click.testing import CliRunner

from eegdiffusion import Backbone, Classifier
from eegdiffusion.commands.export import command
from eegdiffusion.core.runtime.errors import InputError
from tests import registered_versions
from tests.predict import tiny_model
from tests.tracking_uri import tracking_uri_restored

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """Tracking URI of a store with the models `lft` and `ssmdp`, and the folder that both were trained in."""
    folder = tmp_path_factory.mktemp("registry")
    uri, _ = tiny_model.register(folder)
    with tracking_uri_restored():
        mlflow.set_tracking_uri(uri)
        mlflow.set_experiment("finetune_lft")
        with mlflow.start_run():
            version = registered_versions.register("ssmdp", folder / "lft", {"corpus": "surrogate"})
        mlflow.MlflowClient().set_registered_model_alias("ssmdp", "champion", version.version)
    return uri, folder / "lft"


@pytest.fixture
def export(registry, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry[0])

    def run(*words):
        with tracking_uri_restored():
            done = CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=True)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    return run


def test_a_hub_folder_is_read_back_and_says_where_it_comes_from(export, registry, tmp_path):
    windows = tiny_model.windows()[:3]
    said = export("lft", tmp_path / "hub", "--unit", "100 uV")
    assert "eegdiffusion.Classifier.from_pretrained reads it" in said
    expected = Classifier.from_pretrained(registry[1], unit="100 uV").predict_proba(windows)
    assert torch.equal(Classifier.from_pretrained(tmp_path / "hub").predict_proba(windows), expected)
    card = (tmp_path / "hub/README.md").read_text()
    assert all(
        words in card
        for words in ("surrogate data", "signed by", "low\\_hz 0.1" if "low\\_hz" in card else "low_hz 0.1")
    )
    export("lft", tmp_path / "hub")
    assert Classifier.from_pretrained(tmp_path / "hub").backbone.unit == "V"


def test_an_onnx_folder_runs_without_the_library(export, registry, tmp_path):
    windows = tiny_model.windows()[:3].numpy()
    said = export("lft", tmp_path / "onnx", "--to", "onnx", "--unit", "100 uV")
    assert "windows of 1000 samples, within" in said
    config = json.loads((tmp_path / "onnx/config.json").read_text())
    assert config["program"] == {"file": "model.onnx", "samples": 1000, "opset": 20}
    assert config["classes"] == list(tiny_model.PREPROCESSING.classes)
    (logits,) = onnxruntime.InferenceSession(tmp_path / "onnx/model.onnx").run(None, {"x": windows})
    with torch.no_grad():
        expected = Classifier.from_pretrained(registry[1], unit="100 uV")(torch.from_numpy(windows)).numpy()
    assert np.abs(logits - expected).max() < 1e-4
    assert "onnxruntime.InferenceSession" in (tmp_path / "onnx/README.md").read_text()


def test_a_backbone_is_exported_too(export, registry, tmp_path):
    signals = 1e-5 * torch.randn(2, 22, 1000)
    export("ssmdp", tmp_path / "hub")
    export("ssmdp", tmp_path / "torch", "--to", "torch")
    backbone = Backbone.from_pretrained(tmp_path / "hub")
    with torch.no_grad():
        expected = Backbone.from_pretrained(registry[1])(signals)
        assert torch.equal(backbone(signals), expected)
        assert torch.allclose(torch.export.load(tmp_path / "torch/model.pt2").module()(signals), expected, atol=1e-5)


def test_files_that_were_changed_are_refused(registry, export, tmp_path):
    folder = tmp_path / "copy"
    with tracking_uri_restored():
        mlflow.set_tracking_uri(registry[0])
        source = mlflow.MlflowClient().get_model_version_by_alias("lft", "champion")
        shutil.copytree(mlflow.artifacts.download_artifacts(source.source), folder)
    config = folder / "artifacts/lft/config.json"
    config.write_text(config.read_text() + " ")
    with pytest.raises(InputError, match="is refused"):
        export(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert "NOT verified" in export(folder, tmp_path / "out", "--unsigned") + (tmp_path / "out/README.md").read_text()


def test_a_model_that_is_not_there_is_named_and_nothing_is_written(export, tmp_path):
    with pytest.raises(InputError, match="MODEL: models:/nothing@champion"):
        export("nothing", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_others_is_left_as_it_is(export, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="must be new, empty or of an earlier export"):
        export("lft", tmp_path)
    export("lft", tmp_path / "hub")
    with pytest.raises(InputError, match=r"must be new, empty or of an earlier export \(found model.safetensors\)"):
        export("lft", tmp_path / "hub", "--to", "onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hub", "notes.txt"]
