"""Models of the registry follow the user's names of entries, and a generator's scores include its pictures'."""

import json
from pathlib import Path

import pytest
import yaml

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.operations.registry.registry_config import read_results, select_models, trained_models
from tests.e2e.workspace import ROOT

REGISTRY = ROOT / "mlflow/registry.yaml"


@pytest.fixture
def document(tmp_path, monkeypatch):
    """``params.yaml`` with entries of other names than the demo's; it is written by the second value."""
    monkeypatch.chdir(tmp_path)
    document = yaml.safe_load((ROOT / "params.yaml").read_text())
    row = {"corpus": "things", "protocols": ["joint"]}
    document["eeg_encoders"] = {
        "linear": row | {"objective": "align", "encoder": "ridge"},
        "left_out": row | {"objective": "classify", "encoder": "eegconvnet", "register": False},
        "objects": row | {"objective": "classify", "encoder": "eegconvnet"},
        "scenes": row | {"objective": "classify", "encoder": "eegconvnet"},
        "control": row | {"objective": "align", "encoder": "spatiotemporal", "pairs": "permuted"},
    }
    document["sgdm"] = {}
    document["event_tasks"] = {name: {"corpus": "tuev", "latents": "base"} for name in ("seizures", "sleep_2")}
    document["condiffusion"] = {
        name: {"corpus": "things", "classifier": classifier}
        for name, classifier in (("few", "objects"), ("many", "scenes"))
    }
    Path("params.yaml").write_text(yaml.safe_dump(document))
    return document


def test_every_entry_has_a_model_and_the_first_the_short_name(document):
    models = trained_models(REGISTRY)
    assert {name: config.results for name, config in models.items() if config.each} == {
        "lft-seizures": "models/lft/tasks/seizures/*",
        "lft-sleep_2": "models/lft/tasks/sleep_2/*",
        "eeg-convnet": "models/eeg_encoders/objects/joint/all/all/*",
        "eeg-convnet-scenes": "models/eeg_encoders/scenes/joint/all/all/*",
        "condiffusion": "models/condiffusion/few",
        "condiffusion-many": "models/condiffusion/many",
    }
    assert models["condiffusion-many"].pictures == "data/reconstructions/condiffusion/many"
    assert list(select_models(["condiffusion-many"], REGISTRY)) == ["condiffusion-many"]
    with pytest.raises(InputError, match=r"condiffusion-mani: there is no such model.*did you mean condiffusion-many"):
        select_models(["condiffusion-mani"], REGISTRY)


def test_the_scores_of_pictures_stand_beside_those_of_the_training(document):
    config = trained_models(REGISTRY)["condiffusion"]
    assert read_results(config) == []
    trained, pictures = Path("models/condiffusion/few"), Path("data/reconstructions/condiffusion/few")
    for folder, metrics in ((trained, {"test_loss": 1.0, "seed": 0}), (pictures, {"two_way_gain_shuffled_low": 0.1})):
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(json.dumps(metrics))
    (result,) = read_results(config)
    assert result.folder == trained
    assert result.metrics == {"test_loss": 1.0, "seed": 0, "two_way_gain_shuffled_low": 0.1}
    (pictures / "metrics.json").unlink()
    with pytest.raises(InputError, match=r"reconstructions/condiffusion/few/metrics\.json: no such file"):
        read_results(config)
