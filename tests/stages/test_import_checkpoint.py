"""A published checkpoint becomes a model of this project: on disk, in DVC, in the registry."""

import json
import re
import shutil
from pathlib import Path

import mlflow
import numpy as np
import pandas
import pytest
import sklearn.metrics
import torch
import yaml
from dvc.repo import Repo
from safetensors.torch import load_file

from eegdiffusion import SSMDP, load_published_classifier
from eegdiffusion.commands.evaluate import command as evaluate
from eegdiffusion.commands.import_checkpoint import command
from eegdiffusion.commands.registered_models import load_classifier
from eegdiffusion.core.recordings.electrode_recording import open_recording
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.filtering import EEGDM_CHBMIT
from eegdiffusion.core.signal.montages import choose_montage
from eegdiffusion.core.signal.mulaw import mulaw
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.prediction.derived_signals import derive
from eegdiffusion.events.prediction.prediction import ENDINGS, Classifier, predict
from eegdiffusion.events.published.lightning_checkpoint import read_checkpoint
from eegdiffusion.events.store import window_store
from tests.e2e.workspace import ROOT
from tests.hostile_params import HOSTILE
from tests.predict.tiny_model import EDF

PUBLISHED = ROOT / "tests" / "golden" / "published"
CHBMIT = PUBLISHED / "chbmit_classifier.ckpt"


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


@pytest.fixture
def seizure_task(workspace):
    """A task of ten seconds of the longitudinal montage: 12 windows, of which two rows show one twice."""
    names = choose_montage("double_banana_16").names
    signals = np.random.default_rng(1).standard_normal((16, 12 * 2000)) * np.repeat(np.geomspace(0.02, 4, 12), 2000)
    store = workspace / "data/events/seizures/store"
    (store / "recordings").mkdir(parents=True)
    window_store.write_recording(store / "recordings" / window_store.file_name("a"), signals, names, {})
    rows = {"recording": "a", "split": "test", "start_sample": 2000 * np.minimum(np.arange(13), 11), "channel": 0}
    windows = pandas.DataFrame(rows).assign(label=np.arange(13) // 3 % 2, row=np.arange(13))
    description = window_store.StoreDescription(
        "surrogate", 200.0, 2000, choose_montage("double_banana_16").document(), ["background", "seizure"], "f",
        {"test": "h"}, vars(EEGDM_CHBMIT),
    )  # fmt: skip
    window_store.write_index(store, windows, windows.assign(labels=0).iloc[:0], description)
    task = {"corpus": "seizures", "latents": "seizures", "head": "binary", "monitor": "auroc"}
    params = {
        "event_tasks": {"blink": {"corpus": "blink", "latents": "blink"}, "seizures": task},
        "matrix": {"seeds": [0]},
    }
    params |= {"preprocess_events": {"filtering": {}}}
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    return window_store.Store(store).event_windows("test").__getitems__(list(range(13)))


def _published_probabilities(signals):
    with torch.inference_mode():
        return load_published_classifier(CHBMIT)(mulaw(torch.from_numpy(signals))).sigmoid().numpy()


def test_the_published_seizure_classifier_is_scored_before_it_is_registered(workspace, seizure_task, capsys):
    main([str(CHBMIT), "--corpus", "CHB-MIT", "--task", "seizures"])
    expected = _published_probabilities(seizure_task["signal"])
    assert np.ptp(expected) > 5e-3
    labels, client = seizure_task["label"], mlflow.MlflowClient()
    version = client.get_model_version("lft-seizures", "1")
    logged = client.get_run(version.run_id).data.metrics
    balanced = sklearn.metrics.balanced_accuracy_score(labels, expected > 0.5)
    assert logged["balanced_accuracy"] == pytest.approx(balanced)
    printed = re.search(r"^auroc +(\S+)$", capsys.readouterr().out, re.MULTILINE)
    assert float(printed[1]) == pytest.approx(sklearn.metrics.roc_auc_score(labels, expected), abs=0.03)
    assert version.tags["balanced_accuracy.mean"] == f"{balanced:.4f}"
    assert version.tags["seeds"] == "1"
    assert "scored before it was registered" in version.description
    assert "eeg reproduce" not in version.description
    assert client.get_registered_model("lft-seizures").aliases.keys() == {"challenger"}
    loaded = mlflow.pyfunc.load_model("models:/lft-seizures/1")
    predicted = loaded.predict(seizure_task["signal"])
    assert np.abs(predicted[:, 1] - expected).max() < 1e-5
    evaluate.main(["models:/lft-seizures/1", "--task", "seizures", "--out", "scores.csv"], standalone_mode=False)
    scores = pandas.read_csv("scores.csv", keep_default_na=False).set_index(["metric", "class"])["value"]
    assert float(scores["balanced_accuracy", ""]) == pytest.approx(balanced)
    assert float(scores["windows", ""]) == 13


def test_the_published_seizure_classifier_predicts_recordings(workspace):
    main([str(CHBMIT), "--name", "chbmit"])
    loaded, preprocessing = load_classifier("models:/lft/1")
    assert preprocessing.channels == choose_montage("double_banana_16").names
    assert "as preprocessing.json says" in mlflow.MlflowClient().get_model_version("lft", "1").description
    opened = open_recording(EDF, {})
    signals, _ = derive(opened, preprocessing)
    volts = signals.read(0, signals.samples).astype(np.float32)
    windows = np.stack([volts[:, start : start + 2000] for start in range(0, volts.shape[1] - 1999, 200)])
    middle = np.sort(_published_probabilities(windows))[6:8].mean()
    with torch.no_grad():  # as the weights are random, they say the same of all windows
        loaded.unwrap_python_model().lft.classifier.linear.bias -= float(np.log(middle / (1 - middle)))
    outputs = {ending: workspace / f"events.{ending}" for ending in ENDINGS}
    predicted = predict(opened, outputs, Classifier("a model", loaded, preprocessing, 0.0, 4, {}))
    seizure = _published_probabilities(windows) > middle
    assert 0 < seizure.sum() < len(windows)
    assert predicted.events["duration"].sum() == seizure.sum(), "background is no event"
    assert set(predicted.events["label"]) == {"seizure"}


@pytest.mark.parametrize(
    ("file", "words", "message"),
    [
        (CHBMIT, ["--task", "seizure"], "--task: must be an entry of event_tasks .* did you mean"),
        (CHBMIT, ["--task", "blink"], "data/events/blink/store/store.json: no such file"),
        (
            PUBLISHED / "classifier.ckpt",
            ["--task", "seizures"],
            "store: .*: must be .*, as classifier.ckpt was trained",
        ),
        (PUBLISHED / "backbone.ckpt", ["--task", "seizures"], "--task: must be given with a classifier"),
        (CHBMIT, ["--task", "seizures", "--check"], "--task: must not be given with --check"),
    ],
)
def test_what_cannot_be_scored_is_not_imported(workspace, seizure_task, file, words, message):
    with pytest.raises(InputError, match=message):
        main([str(file), *words])
    assert not Path("models").exists()
    assert not Path("mlflow.db").exists()


def test_channels_of_no_montage_are_refused(workspace):
    document = read_checkpoint(CHBMIT)
    for prefix in ("model.", "ema.ema_model."):
        document["state_dict"][f"{prefix}extractor.cond"] = torch.arange(16)[:, None]
    torch.save({"state_dict": document["state_dict"]}, "x.ckpt")
    with pytest.raises(InputError, match="checkpoint: channels: must be the numbers of a montage in order"):
        main(["x.ckpt"])
    assert not Path("models").exists()


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
