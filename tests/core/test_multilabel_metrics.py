"""Metrics of windows of several classes, against scikit-learn and against all thresholds tried one by one."""

import numpy as np
import pytest
import sklearn.metrics
import torch

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.statistics.multilabel_metrics import (
    class_threshold,
    class_thresholds,
    counting_difference,
    f1_counts,
    macro_f1,
    macro_f1_interval,
    multilabel_metrics,
    multilabel_per_class,
)
from eegdiffusion.core.training.classification_head import class_probabilities, classification_loss


@pytest.fixture
def windows():
    """Labels (60, 3), of which the third class is rare, and scores that know something of them."""
    rng = np.random.default_rng(0)
    labels = (rng.random((60, 3)) < [0.5, 0.3, 0.1]).astype(np.int64)
    return labels, np.clip(0.3 * labels + 0.7 * rng.random((60, 3)), 0, 1)


def test_metrics_are_scikit_learns(windows):
    labels, scores = windows
    thresholds = np.array([0.5, 0.4, 0.6])
    metrics = multilabel_metrics(labels, scores, thresholds)
    assert metrics["f1_macro"] == pytest.approx(sklearn.metrics.f1_score(labels, scores >= thresholds, average="macro"))
    assert metrics["auroc"] == pytest.approx(sklearn.metrics.roc_auc_score(labels, scores))
    assert metrics["auprc"] == pytest.approx(sklearn.metrics.average_precision_score(labels, scores))
    table = multilabel_per_class(labels, scores, thresholds, ["a", "b", "c"])
    precision, recall, f1, support = sklearn.metrics.precision_recall_fscore_support(labels, scores >= thresholds)
    for name, values in {"precision": precision, "recall": recall, "f1": f1, "support": support}.items():
        assert table[name].to_numpy() == pytest.approx(values)


def test_a_class_that_does_not_occur_counts_in_no_mean(windows):
    labels, scores = windows
    absent = labels.copy()
    absent[:, 2] = 0
    assert multilabel_metrics(absent, scores, np.full(3, 0.5)) == pytest.approx(
        multilabel_metrics(labels[:, :2], scores[:, :2], np.full(2, 0.5))
    )
    assert class_thresholds(absent, scores)[2] == 0.5
    assert np.isnan(
        multilabel_per_class(absent, scores, np.full(3, 0.5), list("abc")).loc["c", ["auroc", "recall"]]
    ).all()
    everywhere = np.ones_like(labels)
    assert np.isnan(multilabel_metrics(everywhere, scores, np.full(3, 0.5))["auroc"])


@pytest.mark.parametrize(
    ("labels", "scores"),
    [
        ([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]),
        ([1, 0, 1, 0], [0.5, 0.5, 0.5, 0.5]),
        ([0, 1, 1, 1], [0.9, 0.2, 0.2, 0.3]),
        ([1, 0, 0, 0], [1.0, 1.0, 0.0, 0.0]),
        ([0, 0, 0, 1], [0.0, 0.0, 0.0, 0.0]),
        ([1, 1, 0, 0], [0.6, 0.7, 0.61, 0.05]),
    ],
)
def test_the_threshold_has_the_highest_f1(labels, scores):
    labels, scores = np.array(labels), np.array(scores)
    tried = [sklearn.metrics.f1_score(labels, scores >= each) for each in np.linspace(0, 1.01, 102)]
    assert sklearn.metrics.f1_score(labels, scores >= class_threshold(labels, scores)) == pytest.approx(max(tried))


def test_intervals_draw_subjects_and_hold_the_score(windows):
    labels, scores = windows
    predicted = np.stack([scores >= 0.5, scores >= 0.55])
    subjects = np.repeat(list("abcdef"), 10)
    interval = macro_f1_interval(labels, predicted, subjects, replicates=500)
    score = np.mean([macro_f1(f1_counts(labels, each).sum(0)) for each in predicted])
    assert interval.low < score < interval.high
    assert (interval.clusters, interval.seeds) == (6, 2)
    with pytest.raises(InputError, match=r"clusters: .* two or more"):
        macro_f1_interval(labels, predicted, np.repeat("a", 60))


def test_counting_windows_many_times_is_worth_what_the_two_scores_differ_by(windows):
    labels, scores = windows
    predicted, subjects = (scores >= 0.5)[None], np.repeat(list("abcdef"), 10)
    once = labels, predicted, subjects
    same = counting_difference(once, once, replicates=200)
    assert (same.mean, same.low, same.high) == (0, 0, 0)
    right = (predicted[0] == labels).all(1)
    times = np.where(right, 5, 1)  # those that are right count five times
    often = np.repeat(labels, times, 0), np.repeat(predicted, times, 1), np.repeat(subjects, times)
    more = counting_difference(often, once, replicates=500)
    scores_by = [sklearn.metrics.f1_score(each[0], each[1][0], average="macro") for each in (often, once)]
    assert more.mean == pytest.approx(scores_by[0] - scores_by[1])
    assert 0 < more.low < more.mean < more.high
    with pytest.raises(InputError, match="same subjects"):
        counting_difference(once, (labels, predicted, np.repeat(list("abcdez"), 10)))


def test_loss_and_probabilities_of_several_classes():
    logits, labels = torch.tensor([[1.0, -2.0], [0.0, 3.0]]), torch.tensor([[1, 0], [1, 1]])
    chance = class_probabilities(logits, multi_label=True)
    assert torch.allclose(chance, logits.sigmoid())
    expected = -(labels * chance.log() * torch.tensor([2.0, 5.0]) + (1 - labels) * (1 - chance).log()).mean()
    assert torch.allclose(classification_loss(logits, labels, positive_weight=[2.0, 5.0]), expected)
    smoothed = labels * 0.8 + 0.1
    expected = -(smoothed * chance.log() + (1 - smoothed) * (1 - chance).log()).mean()
    assert torch.allclose(classification_loss(logits, labels, 0.2), expected)
