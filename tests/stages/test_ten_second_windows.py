"""Windows of ten seconds from their file to a registered model: two parts of five seconds, in order of time."""

import json
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas
import pytest
import torch
import yaml

from components.cache_latents.compute import compute as cache_latents
from components.cache_latents.settings import CacheLatents
from components.finetune_tasks.compute import compute as finetune
from components.finetune_tasks.settings import EventTask
from components.ingest_events import compute as ingest_events
from components.ingest_events.settings import IngestEvents
from components.preprocess_events import compute as preprocess_events
from components.preprocess_events.settings import PreprocessEvents
from eegdiffusion.commands.evaluate import command as evaluate
from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.core.signal.montages import choose_montage
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.events.corpora.event_corpus import EventCorpus, channel_recipe
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.store.window_store import Store
from eegdiffusion.events.training.classifier_tokens import open_tokens
from eegdiffusion.events.training.event_task import task_training
from tests import registered_versions
from tests.stages.test_finetune_tasks import DEFAULT
from tests.trial_corpus import write_backbone

CHANNELS = choose_montage("double_banana_16").names
FILTERING = Filtering(low_hz=0.5, notch_hz=60.0)
LATENTS = Latents(backbone="base", corpus="long", codec="float32")
TASK = EventTask(corpus="long", latents="long", head="binary", monitor="auroc")


def _write_epochs(path, split: str, recordings: int, seed: int) -> None:
    """Four epochs a recording of 10 s at 250 Hz; those of the class ``late`` have a rhythm in their second half."""
    rng = np.random.default_rng(seed)
    count, samples = 4 * recordings, 2500
    late = np.arange(count) % 2
    signals = 10 * rng.standard_normal((count, len(CHANNELS), samples))
    rhythm = 60 * np.sin(2 * np.pi * 9 * np.arange(samples) / 250) * (np.arange(samples) >= samples / 2)
    signals += rhythm * late[:, None, None]
    names = np.array([f"{split} {k}" for k in range(recordings)])[np.arange(count) // 4]
    np.savez(
        path / f"{split}.npz", X=signals.astype(np.float32), y=np.array(["calm", "late"])[late], split=split,
        ch_names=np.array(CHANNELS), sfreq=250.0, subject=names, unit="uV",
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The store, the latents and the LFT of one seed."""
    path = tmp_path_factory.mktemp("long")
    root = path / "corpus"
    root.mkdir()
    (root / "corpus.json").write_text('{"corpus": "long"}')
    _write_epochs(root, "train", 6, 0)
    _write_epochs(root, "test", 3, 1)
    entry = EventCorpus(root=str(root), layout="epochs", montage="double_banana_16", window_s=10.0)
    ingest_events.compute(
        entry, IngestEvents(validation_fraction=0.34), FILTERING, channel_recipe(entry, {}), path / "index", path
    )
    for name in ("work", "shards", "task"):
        (path / name).mkdir()
    settings = PreprocessEvents(filtering=FILTERING, workers=1)
    preprocess_events.compute(root, path / "index", settings, path / "store", path / "work")
    store = Store(path / "store")
    backbone = write_backbone(path / "backbone")
    cache_latents(store, backbone, CacheLatents(), LATENTS, torch.device("cpu"), path / "cache", path / "shards")
    subjects = pandas.read_parquet(path / "index/recordings.parquet").set_index("recording")["subject"].to_dict()
    training, hardware = task_training("long", TASK, DEFAULT), Hardware(accelerator="cpu", precision="32-true")
    tested = finetune(
        store, subjects, path / "cache", LATENTS, "long", TASK, training, training.optimisation, [0], hardware,
        path / "task", path / "fit",
    )  # fmt: skip
    return SimpleNamespace(store=store, cache=path / "cache", tested=tested)


def test_the_tokens_are_those_of_both_parts_in_order(trained):
    tokens = open_tokens(trained.cache, LATENTS, trained.store, "test")[0]
    assert tokens.shape == (2, 10, 16, 4)
    signals = torch.from_numpy(trained.store.event_windows("test").__getitems__([0, 1])["signal"])
    assert signals.shape == (2, 16, 2000)
    backbone, transform = signal_transform.load(trained.cache / "backbone")
    given = {"channels": trained.store.montage.ids, "check": False}
    parts = [signal_transform.tokens(backbone, transform, LATENTS, part, **given) for part in signals.split(1000, -1)]
    assert np.allclose(tokens.__getitems__([0, 1])["tokens"], torch.cat(parts, 2), atol=1e-6)
    assert trained.store.montage.ids == [*range(8), *range(14, 22)]


def test_the_lft_is_tested_registered_evaluated_and_served_on_ten_seconds(trained, tmp_path, monkeypatch):
    tested = trained.tested
    windows = trained.store.event_windows("test")
    assert tested.metrics[0]["auroc"] > 0.9, "the second part is seen"
    assert np.array_equal(tested.labels, windows.labels)
    assert json.loads((tested.folder / "latents.json").read_text())["recipe"]["parts"] == "physical"

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    with mlflow.start_run():
        registered_versions.register("lft", tested.folder, {"corpus": "long"})
    loaded = mlflow.pyfunc.load_model("models:/lft/1")
    signals = windows.__getitems__(list(range(len(windows))))["signal"]
    assert np.allclose(loaded.predict(signals), tested.probabilities, atol=1e-6)
    swapped = np.concatenate([signals[..., 1000:], signals[..., :1000]], -1)
    assert np.abs(loaded.predict(swapped) - tested.probabilities).max() > 5e-5, "the order of the parts counts"
    with pytest.raises(mlflow.MlflowException, match="2000"):
        loaded.predict(signals[..., :1000])

    (tmp_path / "data/events/long").mkdir(parents=True)
    (tmp_path / "data/events/long/store").symlink_to(trained.store.path)
    task = {"corpus": "long", "latents": "long", "head": "binary"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"event_tasks": {"long": task}}))
    evaluate.main(["models:/lft/1", "--task", "long", "--out", "scores.csv"], standalone_mode=False)
    scores = pandas.read_csv("scores.csv", keep_default_na=False).set_index(["metric", "class"])["value"]
    for name in ("balanced_accuracy", "auroc"):
        assert float(scores[name, ""]) == pytest.approx(tested.metrics[0][name], abs=1e-6)
    assert float(scores["windows", ""]) == len(windows) == 12
