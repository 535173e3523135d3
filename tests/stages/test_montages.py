"""Corpora of other montages than TUEV's go through ingestion, preprocessing, latents, the LFT and its served model."""

import json
from dataclasses import replace
from types import SimpleNamespace

import edfio
import numpy as np
import pandas
import pytest
import torch

from components.cache_latents.compute import compute as cache_latents
from components.cache_latents.settings import CacheLatents
from components.finetune_lft.compute import compute as finetune
from components.finetune_lft.settings import FinetuneLFT
from components.ingest_events.compute import compute as ingest
from components.ingest_events.settings import IngestEvents
from components.preprocess_events.compute import compute as preprocess
from components.preprocess_events.settings import PreprocessEvents
from components.pretrain_ssmdp.compute import compute as pretrain
from components.pretrain_ssmdp.settings import PretrainSSMDP
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.filtering import EEGDM, filtered
from eegdiffusion.core.signal.montages import choose_montage
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.events.corpora.event_corpus import EventCorpus, channel_recipe
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.serving.lft_pyfunc import EventClassifier, package
from eegdiffusion.events.store.window_store import Store
from eegdiffusion.events.training.pretraining_settings import BackboneVariant
from tests.tuev_fixture import signals, write_corpus

OWN = {"own4": ["TP9", "AF7", "AF8", "TP10"]}
NEW_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}
BANANA = [
    "-".join(NEW_NAMES.get(part, part) for part in name.split("-")) for name in choose_montage("double_banana_16").names
]
HARDWARE = Hardware(accelerator="cpu", precision="32-true")
OPTIMISATION = {"batch_size": 16, "max_epochs": 1, "patience": 1, "learning_rate": 1e-3}
OPTIMISATION |= {"ema": {"beta": 0.9, "update_after_step": 1, "update_every": 1}}


def _corpus(root, labels):
    """A corpus of TUEV's layout whose EDF files have these channels, and one more that nobody needs."""
    write_corpus(root, train=5, test=1)
    for seed, path in enumerate(sorted(root.rglob("*.edf"))):
        data = signals([*labels, "ECG"], 14, 250, seed)
        bound = float(np.abs(data).max()) * 1.01
        rows = zip([*labels, "ECG"], data, strict=True)
        edf = [
            edfio.EdfSignal(row, 250, label=k, physical_dimension="uV", physical_range=(-bound, bound))
            for k, row in rows
        ]
        edfio.Edf(edf).write(path)
    return root


def _store(tmp_path, labels, **entry):
    entry = EventCorpus(root=str(_corpus(tmp_path / "edf", labels)), layout="tuev", **entry)
    (tmp_path / "parts").mkdir()
    index = tmp_path / "index"
    ingest(entry, IngestEvents(), EEGDM, channel_recipe(entry, OWN), index, tmp_path)
    settings = PreprocessEvents(filtering=EEGDM, workers=1)
    preprocess(tmp_path / "edf", index, settings, tmp_path / "store", tmp_path / "parts")
    return Store(tmp_path / "store")


def _backbone(tmp_path, store):
    model = {"d_model": 4, "d_state": 4, "n_layer": 2, "d_cond": 8, "d_cond_embed": 8}
    settings = {"corpus": "own", "model": model, "optimisation": OPTIMISATION, "validation_samples": 8}
    settings = PretrainSSMDP(**settings, generation={"samples": 1, "seconds": 1.0, "sampler": "ddim", "ddim_steps": 2})
    variant = BackboneVariant(schedule="linear", mu_law=True)
    pretrained = pretrain(store, settings, variant, HARDWARE, tmp_path / "ssmdp", tmp_path / "fit")
    return tmp_path / "ssmdp" / "backbone", pretrained


def _lft(tmp_path, store, backbone):
    latents = Latents(backbone="base", corpus="own", codec="float32")
    cache, out = tmp_path / "cache", tmp_path / "lft"
    (tmp_path / "shards").mkdir()
    cache_latents(store, backbone, CacheLatents(), latents, torch.device("cpu"), cache, tmp_path / "shards")
    model = {"n_fusion": 2, "num_heads": 2, "encoder_blocks": 1}
    settings = FinetuneLFT(latents="base", corpus="own", model=model, optimisation=OPTIMISATION)
    finetune(store, cache, settings, latents, "recorded", 0, HARDWARE, out, tmp_path / "lft-fit")
    return out


def _served(folder, windows):
    artifacts, signature, example = package(folder)
    model = EventClassifier()
    model.load_context(SimpleNamespace(artifacts={name: str(path) for name, path in artifacts.items()}))
    assert signature.inputs.inputs[0].shape == (-1, -1, windows.shape[2])
    assert signature.params.params[0].default == model.preprocessing["channels"]
    assert example.shape[1:] == windows.shape[1:]
    return model.predict(None, windows), model


@pytest.mark.parametrize(
    ("montage", "labels", "ids", "ids_of", "count"),
    [
        ("double_banana_16", BANANA, [*range(8), *range(14, 22)], "tcp22", 22),
        ("own4", OWN["own4"], [8, 0, 4, 13], "tcp22", 22),
        ("own4", [f"EEG {name}-REF" for name in OWN["own4"]], [0, 1, 2, 3], "own", 4),
    ],
)
def test_a_corpus_of_another_montage_goes_from_files_to_a_served_model(tmp_path, montage, labels, ids, ids_of, count):
    store = _store(tmp_path, labels, montage=montage, channel_ids=ids_of)
    names = choose_montage(montage, OWN).names
    assert (store.channels, store.montage.ids) == (names, ids)
    assert json.loads((tmp_path / "index/corpus.json").read_text())["channels"]["montage"] == store.montage.document()
    samples = store.pretraining_samples("train")
    assert samples.channels.tolist() == ids * (len(samples) // len(ids))
    windows = store.event_windows("test").__getitems__([0])["signal"]
    assert windows.shape == (1, len(names), 1000)
    recorded = signals([*labels, "ECG"], 14, 250, 0)[: len(labels)]
    whole = filtered(recorded * 1e-6, 250.0, EEGDM) * 1e4
    start = int(store.event_windows("test").table["start_sample"][0])
    assert np.abs(windows[0] - whole[:, start : start + 1000]).max() < 0.01

    backbone, pretrained = _backbone(tmp_path, store)
    transform = json.loads((backbone / "signal_transform.json").read_text())
    assert len(transform["channels"]) == count
    assert set(pretrained.channels) <= set(names)
    probabilities, model = _served(_lft(tmp_path, store, backbone), windows)
    assert probabilities.shape == (1, 6)
    assert model.channel_ids == ids
    assert model.preprocessing["channels"] == names
    table = pandas.read_parquet(tmp_path / "lft/predictions.parquet")
    assert table[[f"p{k}" for k in range(6)]].to_numpy()[0] == pytest.approx(probabilities[0], abs=1e-5)

    other = replace(store.montage, id_names=["X1", "X2"])
    store.__dict__["montage"] = other
    with pytest.raises(InputError, match="channel_ids: the backbone must know the numbers"):
        cache_latents(store, backbone, CacheLatents(), None, torch.device("cpu"), tmp_path / "c", tmp_path / "w")


def test_a_recording_without_an_electrode_is_named_with_the_derivations(tmp_path):
    with pytest.raises(InputError, match="unusable"):
        _store(tmp_path, [name for name in BANANA if "O1" not in name], montage="double_banana_16")
    problems = pandas.read_csv(tmp_path / "problems.csv")
    electrodes = problems[problems["check"] == "electrodes"]
    assert len(electrodes) == 7
    assert electrodes["message"].str.startswith("the montage needs O1, for T5-O1, P3-O1 (found FP1-F7, ").all()
