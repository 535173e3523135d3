"""The paired bootstrap of two classifiers, against an oracle that is written out."""

import numpy as np
import pytest
import sklearn.metrics

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.statistics.classification_metrics import bootstrap_interval, paired_bootstrap


def _balanced_accuracy(labels: np.ndarray, predicted: np.ndarray) -> float:
    return np.mean([(predicted[labels == label] == label).mean() for label in np.unique(labels)])


@pytest.fixture(scope="module")
def windows():
    draw = np.random.default_rng(3)
    labels, subjects = draw.integers(0, 3, 240), np.repeat(np.arange(8), 30)

    def predicted(skill: float) -> np.ndarray:
        right = draw.random((2, 240)) < skill
        return np.where(right, labels, draw.integers(0, 3, (2, 240)))

    return labels, subjects, predicted(0.8), predicted(0.4)


def test_the_difference_is_that_of_the_means_over_seeds(windows):
    labels, subjects, first, second = windows
    means = [
        np.mean([sklearn.metrics.balanced_accuracy_score(labels, seed) for seed in each]) for each in (first, second)
    ]
    difference = paired_bootstrap(labels, first, second, subjects, 3)
    assert difference.mean == pytest.approx(means[0] - means[1])
    assert 0 < difference.low < difference.mean < difference.high


def test_replicates_draw_subjects_together_and_seeds_apart(windows):
    labels, subjects, first, second = windows
    draw, differences = np.random.default_rng(1), []
    for _ in range(2000):
        rows = np.concatenate([np.flatnonzero(subjects == subject) for subject in draw.integers(0, 8, 8)])
        scores = [
            np.mean([_balanced_accuracy(labels[rows], each[seed][rows]) for seed in seeds])
            for each, seeds in ((first, draw.integers(0, 2, 2)), (second, draw.integers(0, 2, 2)))
        ]
        differences.append(scores[0] - scores[1])
    difference = paired_bootstrap(labels, first, second, subjects, 3)
    assert [difference.low, difference.high] == pytest.approx(np.quantile(differences, [0.025, 0.975]), abs=0.015)


def test_a_classifier_does_not_differ_from_itself_and_pairs_are_narrower_than_apart(windows):
    labels, subjects, first, _ = windows
    same = paired_bootstrap(labels, first[:1], first[:1], subjects, 3)
    assert (same.mean, same.low, same.high) == (0, 0, 0)
    nearly = first.copy()
    nearly[:, ::40] = (nearly[:, ::40] + 1) % 3
    interval, difference = (
        bootstrap_interval(labels, first[:1], subjects, 3),
        paired_bootstrap(labels, first[:1], nearly[:1], subjects, 3),
    )
    assert difference.high - difference.low < (interval.high - interval.low) / 2


def test_one_subject_is_refused(windows):
    labels, _, first, second = windows
    with pytest.raises(InputError, match="two or more"):
        paired_bootstrap(labels, first, second, np.zeros(240), 3)
