"""On a small store of planted responses: the sweep over layers, occlusion, CSLS and the protocol sheet."""

import numpy as np
import pandas
import pytest
import torch

from eegdiffusion.core.statistics.retrieval import csls
from eegdiffusion.images.encoders.layer_sweep import sweep_layers
from eegdiffusion.images.encoders.occlusion import compute_saliency
from eegdiffusion.images.encoders.protocol_choices import select
from eegdiffusion.images.encoders.protocol_sheet import electrode_groups, sheet_of_subject
from eegdiffusion.images.encoders.registry import build_encoder
from eegdiffusion.images.epochs.epoch_store import EpochStore, EpochStoreDescription, write_epoch_index, write_epochs
from eegdiffusion.images.epochs.image_pairs import Pairs
from eegdiffusion.images.epochs.protocols import Fold

CHANNELS, SAMPLES, SFREQ = ["O1", "O2", "Pz", "P3", "Fz", "Cz"], 50, 100.0
ANSWERS, WHEN = 1, slice(10, 20)
"""The electrode and the samples that tell the images apart."""

IMAGES, REPETITIONS = 150, 2
SPLIT = np.repeat(["train", "validation", "test"], [90, 30, 30])


def planted(path, features: np.ndarray, seed: int = 0) -> Pairs:
    """A store of one subject, whose ``ANSWERS`` electrode follows (images, 10) features sample by sample."""
    draw = np.random.default_rng(seed)
    image = np.repeat(np.arange(IMAGES), REPETITIONS)
    eeg = 0.4 * draw.standard_normal((len(image), len(CHANNELS), SAMPLES)).astype(np.float32)
    eeg[:, ANSWERS, WHEN] += features[image]
    (path / "epochs").mkdir(parents=True)
    write_epochs(path / "epochs" / "sub-01.arrow", iter([eeg]), eeg.shape[1:])
    index = pandas.DataFrame({"subject": "sub-01", "session": 1, "image": image, "row": np.arange(len(image))})
    index = index.assign(concept="c", repetition=np.tile(np.arange(REPETITIONS), IMAGES), split=SPLIT[image])
    images = pandas.DataFrame({"name": [f"i{k}" for k in range(IMAGES)], "concept": "c", "split": SPLIT})
    times = (np.arange(SAMPLES) / SFREQ).tolist()
    write_epoch_index(
        path, index, images, EpochStoreDescription("surrogate", "x", CHANNELS, times, SFREQ, "uV", "0", [])
    )
    values = {"features": features, "identity": np.arange(IMAGES)}
    return Pairs(EpochStore(path), SPLIT, values, values, Fold("sub-01", ["sub-01"], ["sub-01"]), None)


def layers_of(seed: int) -> dict[str, np.ndarray]:
    """Five layers, each a rotation of the one before with some of it renewed; widths and scales differ."""
    draw = np.random.default_rng(seed)
    hidden, layers = draw.standard_normal((IMAGES, 10)), {}
    for depth in range(5):
        hidden = 0.75 * hidden @ np.linalg.qr(draw.standard_normal((10, 10)))[0]
        hidden += np.sqrt(1 - 0.75**2) * draw.standard_normal((IMAGES, 10))
        spread = draw.standard_normal((10, 12 + 3 * depth)) * 10.0**depth
        layers[f"depth{depth}"] = (hidden @ spread).astype(np.float32)
    return layers


def test_the_sweep_finds_the_depth_that_was_planted(tmp_path):
    hits = []
    for depth in range(5):
        layers = layers_of(depth)
        features = layers[f"depth{depth}"]
        left = np.linalg.svd(features - features.mean(0), full_matrices=False)[0][:, :10]
        pairs = planted(tmp_path / str(depth), (np.sqrt(IMAGES) * left).astype(np.float32))
        swept = sweep_layers(pairs, layers, [0.01, 0.1, 1.0])
        hits.append(int(swept.best.removeprefix("depth")))
        assert (swept.table["rank"] < 0.6).all()
    assert hits == list(range(5))


def test_the_sweep_says_nothing_where_nothing_is_planted(tmp_path):
    pairs = planted(tmp_path / "none", np.zeros((IMAGES, 10), np.float32))
    table = sweep_layers(pairs, layers_of(0), [0.1, 1.0]).table
    assert table["rank"].between(0.3, 0.7).all(), "chance is 0.5"
    assert (table["correlation"].abs() < 0.25).all()


def test_occlusion_finds_the_electrode_and_the_time_that_retrieval_rests_on(tmp_path):
    features = np.random.default_rng(3).standard_normal((IMAGES, 10)).astype(np.float32)
    pairs = planted(tmp_path / "store", features)
    encoder = build_encoder("ridge", n_chans=len(CHANNELS), n_times=SAMPLES, n_outputs=10).eval()
    weight = torch.zeros(10, len(CHANNELS), SAMPLES)
    weight[torch.arange(10), ANSWERS, torch.arange(10, 20)] = 1.0
    with torch.no_grad():
        encoder.map.weight.copy_(weight.flatten(1))
        encoder.map.bias.zero_()
    saliency = compute_saliency(encoder, pairs, torch.device("cpu"))
    others = [k for k in range(len(CHANNELS)) if k != ANSWERS]
    assert saliency.importance[ANSWERS] == pytest.approx(1, abs=0.15)
    assert np.allclose(saliency.importance[others], 0, atol=1e-5)
    assert saliency.windows.tolist() == pytest.approx(np.array([[k / 10, (k + 1) / 10] for k in range(5)]))
    assert saliency.by_window.shape == (5, len(CHANNELS) + 1)
    assert saliency.by_window[1, [ANSWERS, -1]] == pytest.approx(saliency.importance[[ANSWERS, ANSWERS]], abs=1e-5)
    assert np.allclose(saliency.by_window[[0, 2, 3, 4]], 0, atol=1e-5)
    assert saliency.bands.tolist() == [[1, 4], [4, 8], [8, 13], [13, 30]]
    assert np.allclose(saliency.by_band[:, others], 0, atol=1e-5)
    assert saliency.by_band[:, ANSWERS] == pytest.approx(saliency.by_band[:, -1], abs=1e-5)
    assert saliency.by_band[3, ANSWERS] > 0.1, "white features: much of them lies in the widest band"


def test_csls_is_that_of_a_plain_loop_and_takes_from_hubs():
    similarity = np.random.default_rng(0).uniform(-1, 1, (6, 8))
    similarity[:, 3] += 2  # a hub
    scaled = csls(similarity, neighbours=3)
    for i in range(6):
        for j in range(8):
            near = sorted(similarity[i])[-3:], sorted(similarity[:, j])[-3:]
            assert scaled[i, j] == pytest.approx(2 * similarity[i, j] - np.mean(near[0]) - np.mean(near[1]))
    assert (similarity.argmax(1) == 3).all()
    assert not (scaled.argmax(1) == 3).all()
    whole = 2 * similarity[0, 0] - similarity[0].mean() - similarity[:, 0].mean()
    assert csls(similarity, neighbours=99)[0, 0] == pytest.approx(whole)


def test_posterior_electrodes_are_tested_apart():
    groups = electrode_groups(CHANNELS)
    assert {count: rows.tolist() for count, rows in groups.items()} == {4: [0, 1, 2, 3], 6: [0, 1, 2, 3, 4, 5]}
    assert list(electrode_groups(["Cz", "Fz", "FPz", "CP1", "PO", "Oz"])) == [6]


def test_the_sheet_departs_in_one_choice_at_a_time(tmp_path):
    draw = np.random.default_rng(5)
    planted_layer = draw.standard_normal((IMAGES, 10)).astype(np.float32)
    layers = {"planted_layer": planted_layer, "other": draw.standard_normal((IMAGES, 10)).astype(np.float32)}
    sheet = sheet_of_subject(planted(tmp_path / "store", planted_layer), "sub-01", layers, [0.1, 1.0])
    assert len(sheet) == 2 * 2 * 2 * 2 * 2 * 30, "electrodes, alphas, layers, repetitions, inference, images"
    plain = {"electrodes": 6, "repetitions": 2, "inference": "inductive"}
    chosen = select(sheet, plain)
    assert set(chosen["layer"]) == {"planted_layer"}
    assert len(chosen) == 30
    assert chosen["hit"].mean() > 0.7
    other = plain | {"layer": "other"}
    by_validation, by_test = (select(sheet, other, on_test)["hit"].mean() for on_test in (False, True))
    assert by_validation <= by_test < 0.3
    assert select(sheet, plain | {"repetitions": 1})["hit"].mean() <= chosen["hit"].mean()
