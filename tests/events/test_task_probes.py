"""Probes of tasks of other corpora: what cross-validation chooses, raw samples, scores and differences."""

import numpy as np
import pandas
import pytest
import scipy
import sklearn.metrics

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.splits import is_unknown, unknown_subject
from eegdiffusion.events.probes.chosen_probe import Choice, choose, fold_numbers
from eegdiffusion.events.probes.feature_names import BANDS, PRETRAINED, UNTRAINED
from eegdiffusion.events.probes.raw_samples import raw_samples
from eegdiffusion.events.probes.task_scores import TaskProbe, differences_from_pretrained, score_probes


def _recordings(count: int = 8, windows: int = 10):
    """Windows of recordings, half of each class; recordings have a place of their own, which tells nothing."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(count), windows)
    labels = groups % 2
    place = np.repeat(rng.standard_normal((count, 6)) * 20, windows, axis=0)
    signal = labels[:, None] * np.array([2.0, 0, 0, 0, 0, 0]) + rng.standard_normal((count * windows, 6))
    return place + rng.standard_normal(place.shape), signal, labels, groups


def test_recordings_stay_whole_in_the_folds_that_choose():
    place, signal, labels, groups = _recordings()
    number = fold_numbers(labels, groups, 4)
    assert all(len(set(number[groups == group])) == 1 for group in set(groups))
    assert sorted(set(number)) == [0, 1, 2, 3]
    chosen = choose({"place": place, "signal": signal}, ["ridge", "knn"], labels, groups, 4)
    assert chosen.variant == "signal", "neighbours of a recording would have chosen its place"
    assert chosen.score > 0.75
    alone = choose({"place": place, "signal": signal}, ["knn"], labels, np.arange(len(labels)), 4)
    assert alone.variant == "place"


def test_the_first_of_equal_choices_is_taken_and_a_choice_is_the_same_again():
    _, signal, labels, groups = _recordings()
    chosen = choose({"a": signal, "b": signal.copy()}, ["ridge"], labels, groups, 4)
    assert chosen == choose({"a": signal, "b": signal.copy()}, ["ridge"], labels, groups, 4)
    assert chosen.variant == "a"


@pytest.mark.parametrize(
    ("labels", "groups", "found"),
    [([0, 0, 1, 1], [0, 1, 2, 2], "2, 1"), ([0, 0, 0, 0], [0, 1, 2, 3], "4"), ([0, 1, 1, 1], [0, 1, 2, 3], "1, 3")],
)
def test_a_class_that_cannot_be_held_out_is_refused(labels, groups, found):
    with pytest.raises(InputError, match=f"each in two recordings or more .found {found} recordings"):
        fold_numbers(np.array(labels), np.array(groups), 5)


def test_fewer_recordings_than_folds_make_fewer_folds():
    labels, groups = np.array([0, 1, 0, 1, 0]), np.arange(5)
    assert len(set(fold_numbers(labels, groups, 5))) == 2


@pytest.mark.parametrize(("sfreq", "rate", "samples"), [(200.0, 20.0, 40), (256.0, 20.0, 40), (200.0, 200.0, 400)])
def test_raw_samples_keep_slow_waves_and_lose_fast_ones(sfreq, rate, samples):
    times = np.arange(round(2 * sfreq)) / sfreq
    slow, fast = np.sin(2 * np.pi * 1.0 * times) + 3, np.sin(2 * np.pi * 60 * times)
    features = raw_samples(np.stack([[slow, slow + fast]]), sfreq, rate)
    assert features.shape == (1, 2 * samples)
    expected = np.sin(2 * np.pi * np.arange(samples) / rate) + 3
    assert np.allclose(features[0, 5 : samples - 5], expected[5:-5], atol=0.02)
    apart = features[0, samples + 5 : -5] - expected[5:-5]
    assert np.abs(apart).max() < 0.05 or rate > 120


def test_raw_samples_are_scipys():
    signals = np.random.default_rng(0).standard_normal((3, 2, 700)).astype(np.float32)
    expected = scipy.signal.resample_poly(signals, 1, 10, axis=-1, padtype="line").reshape(3, -1)
    assert np.array_equal(raw_samples(signals, 200.0, 20.0), expected)


def test_scores_are_means_over_seeds_and_differences_are_paired():
    rng = np.random.default_rng(1)
    labels, groups = np.arange(200) % 2, np.arange(200) // 20
    right = np.where(rng.random(200) < 0.9, labels, 1 - labels)
    seeds = np.stack([np.where(rng.random(200) < share, labels, 1 - labels) for share in (0.6, 0.7)])
    probes = {
        PRETRAINED: TaskProbe([Choice("std", "ridge", 0.8)], right[None]),
        UNTRAINED: TaskProbe([Choice("std", "ridge", 0.6), Choice("mean", "ridge", 0.7)], seeds),
        BANDS: TaskProbe([Choice("log powers", "lda", 0.8)], right[None]),
    }
    table = score_probes(probes, labels, groups, 2).set_index("features")
    scores = [sklearn.metrics.balanced_accuracy_score(labels, each) for each in seeds]
    assert table.loc[UNTRAINED, "balanced_accuracy"] == pytest.approx(np.mean(scores))
    assert table.loc[UNTRAINED, ["variant", "probe", "seeds"]].tolist() == ["std; mean", "ridge", 2]
    assert table.loc[UNTRAINED, "cross_validation"] == pytest.approx(0.65)
    assert ((table["low"] < table["balanced_accuracy"]) & (table["balanced_accuracy"] < table["high"])).all()
    differences = differences_from_pretrained(probes, labels, groups, 2).set_index("against")
    assert isinstance(differences, pandas.DataFrame)
    assert differences.index.tolist() == [UNTRAINED, BANDS]
    assert differences.loc[BANDS].tolist() == [0, 0, 0], "the same predictions differ in no draw"
    own = sklearn.metrics.balanced_accuracy_score(labels, right)
    assert differences.loc[UNTRAINED, "mean"] == pytest.approx(own - np.mean(scores))
    assert differences.loc[UNTRAINED, "low"] > 0


def test_subjects_who_are_not_told_apart_have_a_name_that_says_so():
    assert is_unknown(unknown_subject("train"))
    assert not any(map(is_unknown, ["unknown", "train recording 1", "sub-01", ""]))
