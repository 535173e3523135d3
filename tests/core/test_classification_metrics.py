import numpy as np
import pytest
import sklearn.metrics
from pyhealth.metrics.multiclass import multiclass_metrics_fn

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.statistics.classification_metrics import (
    METRICS,
    balanced_accuracy,
    best_threshold,
    binary_metrics,
    bootstrap_interval,
    chance_level,
    classification_metrics,
    confusion_matrix,
    per_class,
    prediction_metrics,
)
from eegdiffusion.core.statistics.seeds import summarise_seeds

LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2])
PREDICTED = np.array([0, 0, 0, 1, 1, 0, 2, 1])


def _certain(predicted: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes)[predicted]


def test_known_answers():
    found = classification_metrics(LABELS, _certain(PREDICTED, 3))
    # 5 of 8 agree; by chance (4*4 + 2*3 + 2*1) / 64 = 24/64 do.
    assert found["cohen_kappa"] == pytest.approx((5 / 8 - 24 / 64) / (1 - 24 / 64))
    assert found["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2 + 1 / 2) / 3)
    # F1: 2*3/(4+4), 2*1/(2+3), 2*1/(2+1), weighted 4, 2, 2.
    assert found["f1_weighted"] == pytest.approx((4 * 6 / 8 + 2 * 2 / 5 + 2 * 2 / 3) / 8)


def test_a_missing_class_counts_in_errors_only(recwarn):
    labels, predicted = np.array([0, 0, 2, 2]), np.array([0, 1, 2, 2])
    found = classification_metrics(labels, _certain(predicted, 3))
    assert found["balanced_accuracy"] == pytest.approx((1 / 2 + 1) / 2)
    assert not recwarn.list
    assert chance_level(labels) == 1 / 2


@pytest.mark.parametrize("classes", [[0, 1, 2, 3, 4, 5], [0, 2, 5]])
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_they_are_pyhealths(classes):
    rng = np.random.default_rng(0)
    labels = rng.choice(classes, 300)
    probabilities = rng.random((300, 6)) + 0.6 * np.eye(6)[labels]
    metrics = classification_metrics(labels, probabilities)
    assert metrics == multiclass_metrics_fn(labels, probabilities, METRICS)
    assert metrics == prediction_metrics(labels, probabilities.argmax(1)), "training takes these"


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        (np.zeros(4, int), np.full((4, 3), 1 / 3), r"labels: must hold two or more.*\[0\]"),
        (np.array([0, 3]), np.full((2, 3), 1 / 3), r"classes 0 to 2.*\[0, 3\]"),
        (np.array([-1, 1]), np.full((2, 3), 1 / 3), r"classes 0 to 2.*\[-1, 1\]"),
        (np.array([0, 1, 2]), np.full((2, 3), 1 / 3), r"labels: must be one for each of 2 rows"),
        (np.array([0, 1]), np.array([[np.nan, 1], [0, 1]]), "probabilities: must be finite.*1 NaN"),
    ],
)
def test_bad_input_is_refused(labels, probabilities, message):
    with pytest.raises(InputError, match=message):
        classification_metrics(labels, probabilities)


def test_confusion_matrix_has_labels_in_rows_and_all_classes():
    expected = [[3, 1, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert confusion_matrix(LABELS, PREDICTED, 4).tolist() == expected


def test_per_class_scores_and_what_does_not_exist():
    table = per_class(LABELS, PREDICTED, ["a", "b", "c", "d"])
    assert table.loc["a"].tolist() == pytest.approx([3 / 4, 3 / 4, 3 / 4, 4])
    assert table.loc["b"].tolist() == pytest.approx([1 / 3, 1 / 2, 2 / 5, 2])
    assert table.loc["d", ["precision", "recall", "f1"]].isna().all()
    assert table.loc["d", "support"] == 0
    never = per_class(np.array([0, 1]), np.array([0, 0]), ["a", "b"])
    assert np.isnan(never.loc["b", "precision"])
    assert never.loc["b", ["recall", "f1"]].tolist() == [0, 0]


def test_sd_is_the_samples():
    found = summarise_seeds([0.5, 0.6, 0.7])
    assert (found.mean, found.sd, found.n) == (pytest.approx(0.6), pytest.approx(0.1), 3)
    assert np.isnan(summarise_seeds([0.5]).sd)


def test_balanced_accuracy_of_many_matrices():
    draw = np.random.default_rng(0)
    labels, predicted = draw.integers(0, 4, (2, 3, 50))
    labels[1] = np.where(labels[1] == 3, 0, labels[1])
    matrices = np.stack([confusion_matrix(y, p, 4) for y, p in zip(labels, predicted, strict=True)])
    with pytest.warns(UserWarning, match="not in y_true"):
        expected = [sklearn.metrics.balanced_accuracy_score(y, p) for y, p in zip(labels, predicted, strict=True)]
    assert balanced_accuracy(matrices) == pytest.approx(expected)


def _subjects(draw, subjects: int, windows: int, spread: float) -> tuple[np.ndarray, ...]:
    """Labels, predictions and subjects; each subject is classified with a skill of its own around 0.6."""
    subject = np.repeat(np.arange(subjects), windows)
    skill = np.clip(0.6 + spread * draw.standard_normal(subjects), 0, 1)[subject]
    labels = draw.integers(0, 2, subjects * windows)
    return labels, np.where(draw.random(len(labels)) < skill, labels, 1 - labels), subject


def test_interval_covers_the_truth_about_as_often_as_it_says():
    draw = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        labels, predicted, subject = _subjects(draw, 30, 20, 0.1)
        inside += bootstrap_interval(labels, predicted[None], subject, 2, replicates=500).contains(0.6)
    assert 0.88 <= inside / 200 <= 0.99


def test_interval_is_wider_when_subjects_or_seeds_differ():
    labels, predicted, subject = _subjects(np.random.default_rng(1), 10, 100, 0.3)

    def width(predicted, clusters):
        found = bootstrap_interval(labels, predicted, clusters, 2)
        return found.high - found.low

    by_subject = width(predicted[None], subject)
    assert by_subject > 2 * width(predicted[None], np.arange(len(labels)))
    opposite = np.stack([predicted, 1 - predicted])
    assert width(opposite, subject) > by_subject


def test_interval_is_the_same_at_every_call_and_knows_its_sizes():
    labels, predicted, subject = _subjects(np.random.default_rng(2), 6, 20, 0.1)
    found = bootstrap_interval(labels, np.stack([predicted] * 3), subject, 2)
    assert found == bootstrap_interval(labels, np.stack([predicted] * 3), subject, 2)
    assert (found.clusters, found.seeds, found.level) == (6, 3, 0.95)
    truth = sklearn.metrics.balanced_accuracy_score(labels, predicted)
    assert found.low < truth < found.high
    assert found.contains(truth)
    assert not found.contains(found.high + 0.01)


def test_a_constant_prediction_is_at_chance_exactly():
    labels = np.tile([0, 1, 2], 20)
    found = bootstrap_interval(labels, np.zeros((2, 60), int), np.repeat(np.arange(4), 15), 3)
    assert found.contains(chance_level(labels))
    assert found.high - found.low == pytest.approx(0)


def test_one_subject_gives_no_interval():
    with pytest.raises(InputError, match=r"two or more \(found 1\)"):
        bootstrap_interval(LABELS, PREDICTED[None], np.zeros(8), 3)


def test_scores_of_two_classes_at_all_thresholds():
    labels, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    assert binary_metrics(labels, scores) == {"auroc": 0.75, "auprc": pytest.approx((1 + 2 / 3) / 2)}
    assert all(np.isnan(value) for value in binary_metrics(np.zeros(4, int), scores).values())


def test_the_best_threshold_is_in_the_middle_between_scores():
    assert best_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.4, 0.9])) == pytest.approx(0.3)
    assert best_threshold(np.array([0, 1]), np.array([0.6, 0.9])) == pytest.approx(0.75)
    assert best_threshold(np.array([1, 0]), np.array([0.6, 0.9])) == pytest.approx(0.3), "all are of the second class"
    with pytest.raises(InputError, match="both classes"):
        best_threshold(np.ones(3, int), np.arange(3) / 3)


def test_no_threshold_is_better():
    draw = np.random.default_rng(3)
    for _ in range(20):
        labels, scores = draw.integers(0, 2, 30), draw.random(30).round(1)
        every = [prediction_metrics(labels, scores >= cut)["balanced_accuracy"] for cut in np.linspace(0, 1.1, 111)]
        chosen = prediction_metrics(labels, scores >= best_threshold(labels, scores))["balanced_accuracy"]
        assert chosen == pytest.approx(max(every))
