"""One LFT for any number of channels: trained on random subsets, scored on subsets, none of its weights a place's."""

import json
import os
import signal

import numpy as np
import pandas
import pytest
import torch

from components.ablate_lft.compute import row_training
from eegdiffusion import LFT
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montages import choose_montage
from eegdiffusion.core.statistics.classification_metrics import prediction_metrics
from eegdiffusion.core.training.settings import EMASettings, Hardware, Optimisation
from eegdiffusion.events.results.tested_subsets import PREDICTIONS, SUBSETS, read_tested_subsets
from eegdiffusion.events.store.latent_cache import LatentCache
from eegdiffusion.events.training.ablation_row import AblationRow
from eegdiffusion.events.training.channel_subsets import channel_subsets, score_subsets
from eegdiffusion.events.training.finetuning import train_lft
from eegdiffusion.events.training.finetuning_settings import ChannelDropout, LFTArchitecture, LFTTraining
from eegdiffusion.events.training.lft_classification import draw_channels

HARDWARE = Hardware(accelerator="cpu", precision="32-true")
SETTINGS = LFTTraining(
    latents="base",
    corpus="tuev",
    model=LFTArchitecture(n_fusion=2, num_heads=2, encoder_blocks=1),
    channel_dropout=ChannelDropout(least=2),
    optimisation=Optimisation(
        batch_size=8,
        max_epochs=3,
        patience=3,
        learning_rate=1e-2,
        one_cycle=True,
        ema=EMASettings(beta=0.9, update_after_step=1, update_every=1),
    ),
)


class Tokens(LatentCache):
    """Tokens in memory (2 layers, 2 pools, channels, width 4) of two classes; interrupts at a given read."""

    def __init__(self, windows: int, channels: int = 22, interrupt_at: int = 0):
        self.labels = np.arange(windows) % 2
        noise = np.random.default_rng(windows).random((windows, 2, 2, channels, 4), dtype=np.float32)
        self.tokens = (noise + self.labels[:, None, None, None, None] / 4).astype(np.float32)
        self._left = interrupt_at

    @property
    def shape(self):
        return self.tokens.shape[1:]

    def __len__(self):
        return len(self.labels)

    def __getitems__(self, indices):
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return {"tokens": self.tokens[indices], "label": self.labels[indices]}


def _train(work, settings=SETTINGS, interrupt_at=0, seed=0):
    return train_lft(Tokens(32, interrupt_at=interrupt_at), Tokens(16), settings, 2, seed, HARDWARE, work)


def _weights(trained):
    return trained.lft.state_dict()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return _train(tmp_path_factory.mktemp("fit"))


@pytest.fixture
def interruptible():
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


def test_no_weight_depends_on_the_number_of_channels():
    torch.manual_seed(0)
    lft = LFT(d_model=4, n_layer=2, n_pool=2, n_channel=22, n_fusion=2, num_heads=2, encoder_blocks=1, n_class=3).eval()
    other = LFT(d_model=4, n_layer=2, n_pool=2, n_channel=3, n_fusion=2, num_heads=2, encoder_blocks=1, n_class=3)
    shapes = [{name: value.shape for name, value in each.state_dict().items()} for each in (lft, other)]
    assert shapes[0] == shapes[1]
    tokens = torch.randn(2, 2, 2, 22, 4)
    logits = lft(tokens)
    assert torch.allclose(lft(tokens[:, :, :, torch.randperm(22)]), logits, atol=1e-5)
    # Attention weighs channels against each other: each of them twice is each of them once.
    assert torch.allclose(lft(tokens.repeat_interleave(2, 3)), logits, atol=1e-5)
    assert not torch.allclose(lft(tokens[:, :, :, :1]), logits, atol=1e-3)


def test_subsets_are_drawn_of_every_size_and_channel():
    dropout, seen, sizes = ChannelDropout(least=3, whole=0.25), np.zeros(8, int), []
    for seed in range(400):
        kept = draw_channels(2, 8, dropout, torch.Generator().manual_seed(seed))
        assert torch.equal(kept, draw_channels(2, 8, dropout, torch.Generator().manual_seed(seed)))
        assert (kept.diff(dim=1) > 0).all(), "each once, in order"
        sizes.append(kept.shape[1])
        seen += np.bincount(kept.ravel(), minlength=8)
    counts = np.bincount(sizes, minlength=9)
    assert not counts[:3].any()
    assert (counts[3:8] > 25).all(), counts
    assert 400 * (0.25 + 0.75 / 6) * 0.7 < counts[8] < 400 * (0.25 + 0.75 / 6) * 1.3
    assert np.ptp(seen) < 0.15 * seen.mean()
    kept = draw_channels(50, 22, ChannelDropout(whole=0.0), torch.Generator().manual_seed(1))
    assert len({tuple(row) for row in kept.tolist()}) > 45, "each window's for itself"


def test_training_is_determined_and_an_interrupted_one_ends_with_the_same_weights(trained, tmp_path, interruptible):
    with pytest.raises(KeyboardInterrupt):
        _train(tmp_path / "fit", interrupt_at=7)  # in the second of three epochs of four batches
    resumed = _train(tmp_path / "fit")
    assert resumed.fitted.resumed
    assert resumed.fitted.curves == trained.fitted.curves
    for name, value in _weights(trained).items():
        assert torch.equal(value, _weights(resumed)[name]), name


def test_dropout_changes_training_and_is_off_by_default(trained, tmp_path):
    plain = LFTTraining(latents="base", corpus="tuev", model=SETTINGS.model, optimisation=SETTINGS.optimisation)
    assert plain.channel_dropout is None
    without = _weights(_train(tmp_path / "plain", plain))
    assert not torch.equal(without["classifier.linear.weight"], _weights(trained)["classifier.linear.weight"])
    # A row of an ablation takes it away, and leaves everything else.
    row = AblationRow(family="channels", name="all", latents="base", model={}, training={"channel_dropout": None})
    assert row_training("all", row, SETTINGS) == plain
    for wrong in ({"latents": "x"}, {"model": {}}):
        changed = AblationRow(family="channels", name="all", latents="base", model={}, training=wrong)
        with pytest.raises(InputError, match=r"ablations.all.training: must not have (latents|model)"):
            row_training("all", changed, SETTINGS)
    changed = AblationRow(family="channels", name="all", latents="base", model={}, training={"chanel_dropout": None})
    with pytest.raises(InputError, match=r"ablations.all.training.*chanel_dropout"):
        row_training("all", changed, SETTINGS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": LFTArchitecture(num_heads=2, fusion="mean")}, "must be null where model.fusion is 'mean'"),
        ({"model": LFTArchitecture(num_heads=2, fusion="none")}, "must be null where model.fusion is 'none'"),
        (
            {"channel_dropout": ChannelDropout(least=23)},
            "least: must be at most the 22 channels of the montage .found 23",
        ),
    ],
)
def test_an_lft_that_knows_places_and_a_montage_too_small_are_refused(tmp_path, changes, message):
    fields = {"latents": "base", "corpus": "tuev", "channel_dropout": SETTINGS.channel_dropout}
    settings = LFTTraining(**(fields | {"model": SETTINGS.model, "optimisation": SETTINGS.optimisation} | changes))
    with pytest.raises(InputError, match=message):
        _train(tmp_path, settings)


@pytest.mark.parametrize(
    ("montage", "own", "ids", "expected"),
    [
        ("tcp22", None, "tcp22", [("all", 22), ("tcp20", 20), ("double_banana_16", 16), (8, 8), (4, 4)]),
        ("tcp22_tuh", None, "tcp22", [("all", 22), ("tcp20", 20), ("double_banana_16", 16), (8, 8), (4, 4)]),
        ("referential19", None, "tcp22", [("all", 22), ("tcp20", 20), ("double_banana_16", 16), (8, 8), (4, 4)]),
        ("double_banana_16", None, "tcp22", [("all", 16), (8, 8), (4, 4)]),
        ("muse", {"muse": ["TP9", "AF7", "AF8", "TP10"]}, "tcp22", [("all", 4)]),
        ("cap", {"cap": [f"E{k}" for k in range(12)]}, "own", [("all", 12), (8, 8), (4, 4)]),
    ],
)
def test_subsets_of_a_montage(montage, own, ids, expected):
    chosen = choose_montage(montage, own, ids)
    subsets = channel_subsets(chosen)
    names = [f"{name} drawn at random" if isinstance(name, int) else name for name, _ in expected]
    assert [(subset.name, subset.count) for subset in subsets] == list(
        zip(names, [n for _, n in expected], strict=True)
    )
    for subset in subsets:
        drawn = subset.name.endswith("random")
        assert len({tuple(draw) for draw in subset.draws}) == (5 if drawn else 1)
        if subset.name == "tcp20":
            assert not {chosen.names[k] for k in subset.draws[0]} & {"A1-T3", "A2-T4", "T4-A2", "FZ-CZ", "CZ-PZ"}
    assert channel_subsets(chosen) == subsets


MONTAGE = choose_montage("tcp22")


def recordings_of(count: int) -> np.ndarray:
    """Return the recording of each of 16 windows."""
    return np.array([f"r{k % count}" for k in range(16)])


@pytest.mark.parametrize("recordings", [1, 4])
def test_scores_on_subsets_are_those_of_the_lft_on_their_tokens_alone(trained, tmp_path, recordings):
    tokens = Tokens(16)
    scored = score_subsets(
        trained.lft,
        MONTAGE,
        {"test": tokens},
        {"test": recordings_of(recordings)},
        2,
        5,
        torch.device("cpu"),
        {"least": 2, "whole": 0.0},
        tmp_path,
    )
    assert read_tested_subsets(json.loads((tmp_path / SUBSETS).read_text()), SUBSETS) == scored
    table = pandas.read_parquet(tmp_path / PREDICTIONS)
    assert scored.fewest == 4
    for subset, chosen in zip(scored.subsets, channel_subsets(MONTAGE), strict=True):
        metrics = []
        for draw, kept in enumerate(chosen.draws):
            with torch.inference_mode():
                predicted = trained.lft(torch.from_numpy(tokens.tokens[:, :, :, kept])).argmax(-1).numpy()
            rows = table[(table["subset"] == subset.name) & (table["draw"] == draw)]
            assert rows["predicted"].tolist() == predicted.tolist()
            metrics.append(prediction_metrics(tokens.labels, predicted))
        score = subset.scores["test"]
        for name in metrics[0]:
            assert score[name] == pytest.approx(np.mean([each[name] for each in metrics]))
        assert ("low" in score) == (recordings > 1)
        assert subset.channels is None or subset.channels == [MONTAGE.names[k] for k in chosen.draws[0]]
    named = scored.metrics("test")
    assert ("test_balanced_accuracy_20_channels_low" in named) == (recordings > 1)
    assert named["test_balanced_accuracy_16_channels"] == scored.subsets[2].scores["test"]["balanced_accuracy"]


def _scored(lft, folder):
    splits, recordings = {"test": Tokens(16)}, {"test": recordings_of(2)}
    return score_subsets(lft, MONTAGE, splits, recordings, 2, 5, torch.device("cpu"), None, folder)


def test_the_score_that_says_most_of_some_channels(trained, tmp_path):
    scored = _scored(trained.lft, tmp_path)
    names = MONTAGE.names
    ears = {"A1-T3", "A2-T4"}
    assert scored.nearest(names).name == "all"
    assert scored.nearest([name for name in reversed(names) if name not in ears]).name == "tcp20"
    assert scored.nearest(names[:20]).name == "tcp20", "as many, others"
    assert scored.nearest(names[:19]).name == "double_banana_16"
    assert scored.nearest(names[:15]).name == "8 drawn at random"
    assert scored.nearest(names[:4]).name == "4 drawn at random"
    assert "on 4 channels" in scored.nearest(names[:7]).sentence()


def test_an_lft_of_places_is_not_scored_on_subsets(tmp_path):
    lft = LFT(d_model=4, n_layer=2, n_pool=2, n_channel=22, num_heads=2, encoder_blocks=1, n_class=2, fusion="mean")
    assert _scored(lft, tmp_path) is None
    assert not list(tmp_path.iterdir())
