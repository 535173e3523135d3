"""What is made of latent tokens: LFTs on cached, resampled and drawn ones, and probes."""

import itertools
import json
import os
from dataclasses import asdict, replace

import numpy as np
import pandas
import pytest
import torch

from components.ablate_lft import compute as ablate_lft
from components.cache_latents import compute as cache_latents
from components.cache_latents.settings import CacheLatents
from components.finetune_lft import compute as finetune_lft
from components.finetune_lft.settings import FinetuneLFT
from components.probe_latents import compute as probe_latents
from components.probe_latents.settings import ProbeLatents
from components.test_lft import compute as test_lft
from eegdiffusion import LFT, SSMDP, Backbone
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.signal.montages import Montage, NumberedChannel
from eegdiffusion.core.training.settings import EMASettings, Hardware, Optimisation
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.models.signal_transform import SignalTransform
from eegdiffusion.events.store import latent_cache, window_store
from eegdiffusion.events.training.drawn_tokens import DrawnTokens
from eegdiffusion.events.training.finetuning_settings import LFTArchitecture

CHANNELS = [f"c{k}" for k in range(22)]
MONTAGE = Montage("own", [NumberedChannel(name, k, "own") for k, name in enumerate(CHANNELS)], CHANNELS)
CLASSES = ["spsw", "gped"]
CPU = torch.device("cpu")
HARDWARE = Hardware(accelerator="cpu", precision="32-true")
LATENTS = {
    "base": {},
    "random": {"noise": "random"},
    "physical": {"rate": 0.9},
    "reference": {"rate": 0.9, "rate_convention": "reference"},
}
SETTINGS = FinetuneLFT(
    latents="base",
    corpus="tuev",
    model=LFTArchitecture(n_fusion=2, num_heads=2, encoder_blocks=1),
    optimisation=Optimisation(
        batch_size=4,
        max_epochs=3,
        patience=3,
        learning_rate=1e-3,
        ema=EMASettings(beta=0.9, update_after_step=2, update_every=2),
    ),
)


def _latents(name: str) -> Latents:
    return Latents(backbone="base", corpus="tuev", **LATENTS[name])


def _write_backbone(folder, seed: int):
    torch.manual_seed(seed)
    backbone = SSMDP(d_model=4, d_state=4, n_layer=2, d_cond=8, d_cond_embed=8)
    signal_transform.save(folder, backbone, SignalTransform(True, 200.0, "100 uV", CHANNELS))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store of six recordings, two a split, and a cache of each kind of latents."""
    path = tmp_path_factory.mktemp("tokens")
    (path / "store/recordings").mkdir(parents=True)
    draw, rows = np.random.default_rng(0), []
    for split, subject in itertools.product(("train", "validation", "test"), "ab"):
        name = f"{split}/{subject}/x"
        signals = draw.standard_normal((22, 3000)) / 4
        target = path / "store/recordings" / window_store.file_name(name)
        window_store.write_recording(target, signals, CHANNELS, {})
        for k in range(4):
            place = {"recording": name, "split": split, "start_sample": 200 * k, "channel": 0, "row": k}
            rows.append(place | {"label": k % 2})
    windows = pandas.DataFrame(rows)
    pretraining = windows[["recording", "split", "start_sample"]].assign(labels=[np.zeros(22, np.int8)] * len(windows))
    filtering = {"low_hz": 0.1, "high_hz": 75.0, "notch_hz": 50.0, "rate_hz": 200.0}
    description = window_store.StoreDescription(
        corpus="surrogate",
        sfreq=200.0,
        window=1000,
        montage=MONTAGE.document(),
        classes=CLASSES,
        fingerprint="abc",
        splits={split: "f" for split in ("train", "validation", "test")},
        filtering=filtering,
    )
    window_store.write_index(path / "store", windows, pretraining, description)
    backbone = _write_backbone(path / "backbone", 0)
    store = window_store.Store(path / "store")
    for name in LATENTS:
        work = path / "work" / name
        work.mkdir(parents=True)
        cache_latents.compute(store, backbone, CacheLatents(), _latents(name), CPU, path / name, work)
    return path


@pytest.fixture
def store(folder):
    return window_store.Store(folder / "store")


def _train(folder, store, out, name: str, seed: int = 0):
    settings = replace(SETTINGS, latents=name)
    work = out.with_name(f"{out.name}-work")
    work.mkdir()
    return finetune_lft.compute(store, folder / name, settings, _latents(name), "recorded", seed, HARDWARE, out, work)


@pytest.fixture(scope="module")
def trained(folder):
    store = window_store.Store(folder / "store")
    (folder / "lft").mkdir()
    for seed in (0, 1):
        _train(folder, store, folder / f"lft/seed-{seed}", "base", seed)
    return folder / "lft"


def test_drawn_tokens_are_not_cached(folder):
    assert not list((folder / "random").glob("*.arrow"))
    assert sorted(os.listdir(folder / "random")) == ["backbone", "cache.json", "rows.parquet"]
    assert list((folder / "base").glob("*.arrow"))


def test_the_public_backbone_makes_the_tokens_of_the_cache_to_the_bit(folder, store):
    """From a window of the store, in its unit; in volts they differ by rounding."""
    windows = store.event_windows("test").__getitems__([0, 3])["signal"]
    recipe = latent_cache.make_recipe(
        asdict(_latents("base")), folder / "base/backbone", store.fingerprint, store.montage.ids
    )
    cached = latent_cache.LatentCache(folder / "base", "test", recipe).__getitems__([0, 3])["tokens"]
    backbone = Backbone.from_pretrained(folder / "backbone", ch_names=CHANNELS, unit="100 uV", frozen=True)
    tokens = backbone(torch.from_numpy(windows)).numpy()
    assert np.array_equal(latent_cache.decode(latent_cache.encode(tokens, "uint8")), cached)
    in_volts = Backbone.from_pretrained(folder / "backbone", ch_names=CHANNELS, frozen=True)
    assert np.abs(in_volts(torch.from_numpy(windows * np.float32(1e-4))).numpy() - tokens).max() < 1e-5


@pytest.fixture
def drawn(monkeypatch):
    """Tokens of every pass, in order."""
    passes = []
    draw = DrawnTokens.draw

    def keep(self, signals, generator):
        tokens = draw(self, signals, generator)
        passes.append(tokens.numpy().copy())
        return tokens

    monkeypatch.setattr(DrawnTokens, "draw", keep)
    return passes


def test_noise_is_drawn_anew_at_every_pass_and_the_seed_determines_it(folder, store, tmp_path, drawn):
    first = _train(folder, store, tmp_path / "first", "random")
    passes = drawn.copy()
    assert len(passes) == 1 + 3 * (2 + 2) + 2 + 2, "a shape, three epochs of both splits, the temperature and the test"
    for k, tokens in enumerate(passes):
        for other in passes[:k]:
            # The windows overlap, and a batch holds them in any order: not one row of a pass comes back.
            for row in tokens:
                assert not (np.abs(other - row).max((1, 2, 3, 4)) == 0).any()
    drawn.clear()
    second = _train(folder, store, tmp_path / "second", "random")
    assert all(np.array_equal(*both) for both in zip(passes, drawn, strict=True))
    assert first.metrics == second.metrics
    saved = [(tmp_path / name / "lft/diffusion_pytorch_model.safetensors").read_bytes() for name in ("first", "second")]
    assert saved[0] == saved[1]
    drawn.clear()
    _train(folder, store, tmp_path / "other", "random", seed=1)
    assert not np.array_equal(drawn[-1], passes[-1]), "another seed tests with other noise"


def test_a_row_of_noise_is_trained_by_its_stage(folder, store, tmp_path):
    (tmp_path / "work").mkdir()
    metrics = ablate_lft.compute(
        store, folder / "random", _latents("random"), "noise_random", SETTINGS, [0, 1], HARDWARE, tmp_path / "row",
        tmp_path / "work",
    )  # fmt: skip
    assert metrics.keys() == {0, 1}
    facts = json.loads((tmp_path / "row/seed-1/metrics.json").read_text())
    assert facts["row"] == "noise_random"


@pytest.mark.parametrize("name", ["physical", "reference", "base", "random"])
def test_trained_lfts_are_tested_and_not_changed(folder, store, trained, tmp_path, name):
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    latents = _latents(name)
    test_lft.compute(store, folder / name, latents, "row", trained, [0, 1], 3, CPU, tmp_path)
    assert {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()} == before
    for seed in (0, 1):
        tested = pandas.read_parquet(tmp_path / f"seed-{seed}/predictions.parquet")[["p0", "p1"]].to_numpy()
        own = pandas.read_parquet(trained / f"seed-{seed}/predictions.parquet")[["p0", "p1"]].to_numpy()
        assert np.allclose(tested, own, rtol=0, atol=1e-7) == (name == "base")
        if name in ("physical", "reference"):
            # Written out: resampled, embedded and pooled by hand, through the weights as they lie on the disk.
            signals = torch.from_numpy(store.event_windows("test").__getitems__(list(range(8)))["signal"])
            tokens = signal_transform.tokens(*signal_transform.load(folder / "backbone"), latents, signals, check=False)
            assert tokens.shape[2] == (4 if name == "reference" else 5)
            lft = LFT.from_pretrained(trained / f"seed-{seed}/lft").eval()
            expected = lft(tokens, missing_pools=True).softmax(-1).detach().numpy()
            assert np.allclose(tested, expected, atol=2e-2), "but for the rounding of cached tokens"


def test_latents_of_another_backbone_are_refused(folder, store, trained, tmp_path):
    other = _write_backbone(tmp_path / "backbone", 1)
    (tmp_path / "work").mkdir()
    cache_latents.compute(store, other, CacheLatents(), _latents("base"), CPU, tmp_path / "cache", tmp_path / "work")
    with pytest.raises(InputError, match=r"cache/backbone: must be the backbone that .*seed-0 was trained on"):
        test_lft.compute(store, tmp_path / "cache", _latents("base"), "row", trained, [0], 4, CPU, tmp_path / "out")


def test_an_lft_that_is_missing_is_named(folder, store, trained, tmp_path):
    with pytest.raises(InputError, match=r"seed-7/metrics.json"):
        test_lft.compute(store, folder / "base", _latents("base"), "row", trained, [0, 7], 4, CPU, tmp_path)


SUBJECTS = {f"{split}/{name}/x": f"{split} {name}" for split in ("train", "validation", "test") for name in "ab"}


def _probe(folder, store, out, **changes):
    settings = ProbeLatents(probes=["ridge", "knn"], fractions=[0.5], draws=2, **changes)
    return probe_latents.compute(store, folder / "base", SUBJECTS, settings, _latents("base"), CPU, out)


def test_latents_are_probed_beside_an_untrained_backbone_and_band_powers(folder, store, tmp_path):
    table = _probe(folder, store, tmp_path / "first", channels={"two": ["c0", "c2"]})
    rows = [
        (name, kind, fraction, channels)
        for name, kinds in (("pretrained backbone", ["ridge", "knn"]), ("untrained backbone", ["ridge", "knn"]),
                            ("band powers", ["lda"]))
        for kind, fraction, channels in
        [*((kind, 1.0, "all") for kind in kinds), (kinds[0], 0.5, "all"), (kinds[0], 1.0, "two")]
    ]  # fmt: skip
    assert [tuple(row) for row in table[["features", "probe", "fraction", "channels"]].to_numpy()] == rows
    pandas.testing.assert_frame_equal(pandas.read_csv(tmp_path / "first/probes.csv"), table)
    worth = json.loads((tmp_path / "first/worth.json").read_text())
    scores = table[table["channels"] == "all"].drop_duplicates(["features", "fraction"])
    scores = scores.set_index(["features", "fraction"])["balanced_accuracy"]
    assert [(row["fraction"], row["against"]) for row in worth] == [
        (fraction, other) for fraction in (0.5, 1.0) for other in ("untrained backbone", "band powers")
    ]
    for row in worth:
        own, other = (scores[name, row["fraction"]] for name in ("pretrained backbone", row["against"]))
        assert row["mean"] == pytest.approx(own - other)
        assert row["low"] <= row["mean"] <= row["high"]
    _probe(folder, store, tmp_path / "again", channels={"two": ["c0", "c2"]})
    for name in ("probes.csv", "worth.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "first" / name).read_bytes()


def test_the_untrained_backbone_has_the_sizes_and_other_weights(folder):
    trained, _ = signal_transform.load(folder / "backbone")
    before = torch.get_rng_state()
    first, same, other = (probe_latents.untrained_backbone(trained, seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    weights = [{name: each for name, each in net.state_dict().items()} for net in (trained, first, same, other)]
    assert all(each.shape == weights[1][name].shape for name, each in weights[0].items())
    assert all(torch.equal(each, weights[2][name]) for name, each in weights[1].items())
    for them in (weights[0], weights[3]):
        assert not torch.equal(them["layers.0.layer.kernel.inv_dt"], weights[1]["layers.0.layer.kernel.inv_dt"])


def test_features_of_an_untrained_backbone_are_of_each_window(folder, store):
    latents, settings = replace(_latents("base"), codec="float32"), ProbeLatents(batch_size=3)
    untrained = probe_latents.untrained_features(
        store, "test", folder / "backbone", settings, latents, {"all": None, "one": [1]}, CPU
    )
    trained, transform = signal_transform.load(folder / "backbone")
    network = probe_latents.untrained_backbone(trained, 0)
    for row in range(8):
        signals = torch.from_numpy(store.event_windows("test")[row]["signal"])[None]
        tokens = signal_transform.tokens(network, transform, latents, signals, check=False).numpy()
        expected = np.concatenate([tokens[0].mean(2).ravel(), tokens[0].max(2).ravel()])
        assert np.allclose(untrained["all"][row], expected, atol=1e-5)
        assert np.allclose(untrained["one"][row], np.tile(tokens[0][:, :, 1].ravel(), 2), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("random", {}, "must be of cached latents .found noise 'random'"),
        ("base", {"channels": {"own": ["c0", "T3-T5"]}}, "channels.own: must be channels of the corpus, c0, c1, c2, "
         ".*c21 .found T3-T5"),
        ("base", {"batch_size": 0}, "batch_size"),
        ("base", {"fractions": [0.0]}, "fractions"),
        ("base", {"probes": []}, "probes"),
    ],
)  # fmt: skip
def test_probes_of_what_is_not_there_are_refused(folder, store, tmp_path, name, changes, message):
    def read_and_probe():
        settings = validate({"channels": {}} | changes, ProbeLatents, "params.yaml: probe_latents")
        return probe_latents.compute(store, folder / name, SUBJECTS, settings, _latents(name), CPU, tmp_path / "out")

    with pytest.raises(InputError, match=message):
        read_and_probe()
