"""Probes of frozen features: draws of labels, probes, features, and their table."""

import numpy as np
import pytest
import sklearn.metrics

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montages import choose_montage
from eegdiffusion.events.probes.channel_subsets import usual_subsets
from eegdiffusion.events.probes.label_fractions import draw_labelled
from eegdiffusion.events.probes.probe_table import LabelledSplits, find_result, probe_table, run_probe
from eegdiffusion.events.probes.probes import PROBES, probe
from eegdiffusion.events.probes.token_features import token_features


def _clouds(windows: int, seed: int, gap: float = 3.0):
    """Three classes on axes of their own among 12 features; subjects of 20 windows."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, windows)
    return rng.standard_normal((windows, 12)) + gap * np.eye(3, 12)[labels], labels, np.arange(windows) // 20


@pytest.mark.parametrize("kind", PROBES)
def test_probes_find_classes_that_stand_apart_and_know_nothing_of_noise(kind):
    train, labels, _ = _clouds(200, 0)
    test, expected, _ = _clouds(300, 1)
    assert (probe(kind, train, labels, test) == expected).mean() > 0.9
    rng = np.random.default_rng(2)
    noise = rng.standard_normal(train.shape), rng.standard_normal(test.shape)
    assert abs((probe(kind, noise[0], labels, noise[1]) == expected).mean() - 1 / 3) < 0.12


@pytest.mark.parametrize("kind", PROBES)
def test_scale_and_offset_of_features_do_not_matter(kind):
    train, labels, _ = _clouds(100, 0, gap=1.0)
    test, _, _ = _clouds(100, 1, gap=1.0)
    factor, offset = np.logspace(-6, 6, 12), np.linspace(-5, 5, 12)
    same = probe(kind, train * factor + offset * factor, labels, test * factor + offset * factor)
    assert (same == probe(kind, train, labels, test)).mean() > 0.98


@pytest.mark.parametrize("kind", PROBES)
def test_probes_take_two_windows(kind):
    train, _, _ = _clouds(2, 0)
    assert set(probe(kind, train, np.array([0, 2]), train)) <= {0, 2}


def test_another_probe_is_refused():
    with pytest.raises(InputError, match=r"probe: must be one of linear, ridge, knn, lda .found 'svm'"):
        probe("svm", np.zeros((2, 1)), np.array([0, 1]), np.zeros((1, 1)))


@pytest.mark.parametrize(("fraction", "count"), [(0.01, 2), (0.05, 10), (0.1, 20), (0.25, 50), (0.5, 100), (1.0, 200)])
def test_labels_are_drawn_subject_by_subject(fraction, count):
    _, labels, subjects = _clouds(200, 0)
    seen = set()
    for draw in range(5):
        rows = draw_labelled(labels, subjects, fraction, np.random.default_rng(draw))
        assert len(rows) == len(set(rows)) == count
        assert len(set(subjects[rows])) == -(-count // 20), "whole subjects, and a part of the last"
        assert len(np.unique(labels[rows])) > 1
        seen.add(tuple(rows))
    assert len(seen) == (1 if fraction == 1 else 5)


def test_draws_of_one_class_are_drawn_again():
    labels, subjects = np.repeat([0, 0, 0, 1], 5), np.repeat(np.arange(4), 5)
    for draw in range(10):
        rows = draw_labelled(labels, subjects, 0.5, np.random.default_rng(draw))
        assert set(labels[rows]) == {0, 1}
    with pytest.raises(InputError, match="fraction: must leave two classes among 5 windows"):
        draw_labelled(labels, subjects, 0.25, np.random.default_rng(0))
    with pytest.raises(InputError, match=r"labels: must be of two classes or more .found \[0\]"):
        draw_labelled(labels[:5], subjects[:5], 0.5, np.random.default_rng(0))


def test_features_are_mean_and_maximum_over_the_channels_that_are_used():
    tokens = np.random.default_rng(0).random((2, 3, 5, 4, 6), dtype=np.float32)
    features = token_features(tokens, [1, 3])
    assert features.shape == (2, 2 * 3 * 5 * 6)
    for row, window in zip(features, tokens, strict=True):
        chosen = window[:, :, [1, 3]]
        assert np.allclose(row[:90], chosen.mean(2).ravel())
        assert np.array_equal(row[90:], chosen.max(2).ravel())
    assert np.array_equal(token_features(tokens), token_features(tokens, range(4)))


def test_the_table_holds_metrics_over_draws_and_an_interval_that_holds_them():
    train, labels, subjects = _clouds(200, 0, gap=1.5)
    test, expected, others = _clouds(200, 1, gap=1.5)
    splits = LabelledSplits(labels, subjects, expected, others, 3)
    features = {"train": train, "test": test}
    results = [
        run_probe("a", features, "ridge", splits),
        run_probe("a", features, "ridge", splits, fraction=0.1, draws=4),
        run_probe("b", {"train": train[:, 6:], "test": test[:, 6:]}, "lda", splits, channels="two"),
    ]
    table = probe_table(results, splits)
    assert table[["features", "probe", "fraction", "channels", "draws"]].to_numpy().tolist() == [
        ["a", "ridge", 1.0, "all", 1], ["a", "ridge", 0.1, "all", 4], ["b", "lda", 1.0, "two", 1],
    ]  # fmt: skip
    scores = [sklearn.metrics.balanced_accuracy_score(expected, each) for each in results[1].predicted]
    assert table["balanced_accuracy"][1] == pytest.approx(np.mean(scores))
    assert (table["low"] < table["balanced_accuracy"]).all()
    assert (table["balanced_accuracy"] < table["high"]).all()
    assert table["balanced_accuracy"][0] > table["balanced_accuracy"][1] > table["balanced_accuracy"][2]
    assert find_result(results, {"features": "b"}) is results[2]


@pytest.mark.parametrize(
    ("montage", "expected"),
    [
        ("tcp22", {"8 temporal": 8, "4 temporal": 4, "2 temporal": 2}),
        ("tcp22_tuh", {"8 temporal": 8, "4 temporal": 4, "2 temporal": 2}),
        ("tcp20", {"8 temporal": 8, "4 temporal": 4, "2 temporal": 2}),
        ("double_banana_16", {"8 temporal": 8, "4 temporal": 4, "2 temporal": 2}),
        ("referential19", None),
    ],
)
def test_usual_subsets_are_of_every_montage_of_the_package(montage, expected):
    channels = choose_montage(montage).names
    subsets = usual_subsets(channels)
    assert expected is None or {name: len(these) for name, these in subsets.items()} == expected
    assert subsets
    assert all(set(these) < set(channels) and len(these) == len(set(these)) for these in subsets.values())


def test_usual_subsets_of_other_montages_are_spread_over_them():
    assert usual_subsets(["TP9", "AF7", "AF8", "TP10"]) == {"2 of 4": ["TP9", "TP10"]}
    six = usual_subsets([f"c{k}" for k in range(6)])
    assert six == {"4 of 6": ["c0", "c2", "c3", "c5"], "2 of 6": ["c0", "c5"]}
    assert usual_subsets(["C3", "C4"]) == {"1 of 2": ["C3"]}
    assert usual_subsets(["CZ"]) == {}
    assert {name: len(these) for name, these in usual_subsets([f"E{k}" for k in range(128)]).items()} == {
        "8 of 128": 8, "4 of 128": 4, "2 of 128": 2}  # fmt: skip
    partly = usual_subsets(["T3-T5", "T4-T6", "C3", "C4"])
    assert partly == {"2 temporal": ["T3-T5", "T4-T6"]}
