"""Metrics of a multi-class classifier on one split, and how sure they are.

There is one implementation of each, scikit-learn's: training, model selection, MLflow, the registry's gate and the
report take the same numbers.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas
import sklearn.metrics

from eegdiffusion.core.runtime.errors import InputError

METRICS = ["cohen_kappa", "balanced_accuracy", "f1_weighted"]

CLASS_MISSING = "y_pred contains classes not in y_true"
"""scikit-learn's warning that a class is missing from the split, which :func:`prediction_metrics` provides for."""


def prediction_metrics(labels: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Compute Cohen's kappa, balanced accuracy and weighted F1 of predicted classes, without checks.

    * ``cohen_kappa``: (p_o - p_e) / (1 - p_e), with the observed agreement p_o and the agreement p_e expected by chance
      (Cohen, Educational and Psychological Measurement 20, 1960); NaN where one class alone occurs.
    * ``balanced_accuracy``: the mean recall of the classes that occur (Brodersen et al., ICPR 2010).
    * ``f1_weighted``: the mean of 2 TP / (2 TP + FP + FN) over classes, weighted by the labels' counts.

    A class that does not occur among the labels has no recall and no weight: windows put into it count as errors only.

    Args:
        labels: (windows,), 0-based.
        predicted: (windows,), 0-based.

    Returns:
        metric -> value, of :data:`METRICS`.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=CLASS_MISSING)
        return {
            "cohen_kappa": float(sklearn.metrics.cohen_kappa_score(labels, predicted)),
            "balanced_accuracy": float(sklearn.metrics.balanced_accuracy_score(labels, predicted)),
            "f1_weighted": float(sklearn.metrics.f1_score(labels, predicted, average="weighted")),
        }


def binary_metrics(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Compute what scores of the second of two classes are worth at all thresholds.

    * ``auroc``: area under the receiver operating characteristic, 0.5 at chance.
    * ``auprc``: average precision, the mean precision weighted by the rise in recall; at chance the share of the second
      class.

    Args:
        labels: (windows,), 0 or 1.
        scores: (windows,), higher for the second class.

    Returns:
        metric -> value; NaN where one class alone occurs.
    """
    if len(np.unique(labels)) < 2:
        return {"auroc": float("nan"), "auprc": float("nan")}
    return {
        "auroc": float(sklearn.metrics.roc_auc_score(labels, scores)),
        "auprc": float(sklearn.metrics.average_precision_score(labels, scores)),
    }


def best_threshold(labels: np.ndarray, scores: np.ndarray) -> float:
    """Choose the threshold with the highest balanced accuracy; of equal ones, the one nearest to 0.5.

    Args:
        labels: (windows,), 0 or 1, of which both occur.
        scores: (windows,), from 0 to 1; a score at the threshold or above it counts as the second class.

    Raises:
        InputError: one class alone occurs.
    """
    if len(np.unique(labels)) < 2:
        raise InputError("labels: a threshold is chosen where both classes occur (found one alone)")
    false_positive, true_positive, thresholds = sklearn.metrics.roc_curve(labels, scores, drop_intermediate=False)
    gain = true_positive - false_positive
    # Between a score and the next lower one every threshold decides alike: the middle is farthest from both.
    lower = np.append(thresholds[1:], 0.0)
    middles = (np.minimum(thresholds, 1.0) + lower) / 2
    if lower[0] >= 1:  # the first threshold is above all scores
        middles[0] = np.nextafter(lower[0], np.inf)
    best = np.flatnonzero(np.isclose(gain, gain.max()))
    return float(middles[best[np.abs(middles[best] - 0.5).argmin()]])


def classification_metrics(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Compute :func:`prediction_metrics` of the most probable classes, and refuse input on which they mean nothing.

    Args:
        labels: (windows,), 0-based.
        probabilities: (windows, classes).

    Returns:
        metric -> value, of :data:`METRICS`.

    Raises:
        InputError: shapes or labels do not fit, a probability is not finite, or fewer than two classes occur, where
            kappa and balanced accuracy mean nothing.
    """
    windows, classes = probabilities.shape
    if labels.shape != (windows,):
        raise InputError(f"labels: must be one for each of {windows} rows of probabilities (found {labels.shape})")
    if not np.isfinite(probabilities).all():
        raise InputError(f"probabilities: must be finite (found {np.isnan(probabilities).sum()} NaN)")
    present = np.unique(labels)
    if len(present) < 2 or present[0] < 0 or present[-1] >= classes:
        raise InputError(f"labels: must hold two or more of the classes 0 to {classes - 1} (found {present.tolist()})")
    return prediction_metrics(labels, probabilities.argmax(-1))


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count windows by label (rows) and prediction (columns).

    Args:
        labels: (windows,), 0-based.
        predicted: (windows,), 0-based.
        classes: number of classes; those that do not occur have empty rows.

    Returns:
        (classes, classes) int.
    """
    return sklearn.metrics.confusion_matrix(labels, predicted, labels=range(classes))


def per_class(labels: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> pandas.DataFrame:
    """Compute precision TP / (TP + FP), recall TP / (TP + FN), F1 and the number of windows of each class.

    A score is NaN where it would divide by nothing: the recall of a class that does not occur, the precision of one
    that is never predicted, the F1 of one that is neither.

    Args:
        labels: (windows,), 0-based.
        predicted: (windows,), 0-based.
        classes: names, in the order of the labels.

    Returns:
        ``precision``, ``recall``, ``f1``, ``support``; a row for each class, indexed by its name.
    """
    scores = sklearn.metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(len(classes)), zero_division=np.nan
    )
    columns = dict(zip(("precision", "recall", "f1", "support"), scores, strict=True))
    return pandas.DataFrame(columns, index=pandas.Index(classes, name="class"))


def balanced_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Compute the mean recall of the classes that occur, from confusion matrices (..., classes, classes); (...)."""
    support = confusion.sum(-1)
    with np.errstate(invalid="ignore"):
        return np.nanmean(np.diagonal(confusion, axis1=-2, axis2=-1) / support, axis=-1)


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes:
        low, high: its ends.
        level: its nominal coverage.
        clusters: number of groups of windows (subjects) that were drawn from.
        seeds: number of training seeds that were drawn from.
    """

    low: float
    high: float
    level: float
    clusters: int
    seeds: int

    def contains(self, value: float) -> bool:
        """Whether a value lies within, ends included (to rounding)."""
        return self.low - 1e-9 <= value <= self.high + 1e-9


def bootstrap_interval(
    labels: np.ndarray,
    predicted: np.ndarray,
    clusters: np.ndarray,
    classes: int,
    level: float = 0.95,
    replicates: int = 10_000,
) -> Interval:
    """Compute a percentile bootstrap interval of the balanced accuracy, averaged over seeds.

    Windows of one subject are alike, and so are the errors that one trained network makes; a replicate therefore draws
    subjects and seeds, both with replacement and independently of each other (the pigeonhole bootstrap of Owen, Annals
    of Applied Statistics 1, 2007). A class that a replicate happens to miss does not count in it. The draws are the
    same at every call.

    Args:
        labels: (windows,), 0-based.
        predicted: (seeds, windows).
        clusters: (windows,), what tells the subjects apart.
        classes: number of classes.
        level: nominal coverage.
        replicates: number of replicates.

    Returns:
        the interval, with the numbers of subjects and seeds that were drawn from.

    Raises:
        InputError: there are fewer than two subjects.
    """
    counts = _confusions_by_cluster(labels, predicted, clusters, classes)
    return interval_of_sums(list(counts), balanced_accuracy, level, replicates)


def interval_of_sums(
    sums: Sequence[np.ndarray], statistic: Callable[[np.ndarray], np.ndarray], level: float, replicates: int
) -> Interval:
    """Compute an interval as :func:`bootstrap_interval` does, of any statistic of sums over windows.

    Args:
        sums: of each seed (subjects, ...), what is summed over the windows of a subject.
        statistic: sums (replicates, ...) -> (replicates,).
        level: nominal coverage.
        replicates: number of replicates.
    """
    rng, subjects = np.random.default_rng(0), len(sums[0])
    means = drawn_means(sums, statistic, draw_subjects(rng, subjects, replicates), rng)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, subjects, len(sums))


@dataclass(frozen=True)
class ClassifierDifference:
    """Difference of two classifiers' balanced accuracy on the same windows, first minus second.

    Attributes:
        mean: difference of the means over seeds.
        low, high: ends of its confidence interval.
    """

    mean: float
    low: float
    high: float


def paired_bootstrap(
    labels: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    clusters: np.ndarray,
    classes: int,
    level: float = 0.95,
    replicates: int = 10_000,
) -> ClassifierDifference:
    """Compare two classifiers' balanced accuracy by a paired percentile bootstrap.

    A replicate draws the subjects once for both classifiers, as in :func:`bootstrap_interval`, and the seeds of each
    by themselves, as the trainings have nothing to do with each other. The draws are the same at every call.

    Args:
        labels: (windows,), 0-based.
        first: (seeds, windows) predicted classes of one classifier.
        second: (seeds, windows) of the other, which may have another number of seeds.
        clusters: (windows,), what tells the subjects apart.
        classes: number of classes.
        level: nominal coverage.
        replicates: number of replicates.

    Returns:
        the difference and its interval.

    Raises:
        InputError: there are fewer than two subjects.
    """
    both = [_confusions_by_cluster(labels, predicted, clusters, classes) for predicted in (first, second)]
    rng = np.random.default_rng(0)
    weights = draw_subjects(rng, both[0].shape[1], replicates)
    means = [drawn_means(list(counts), balanced_accuracy, weights, rng) for counts in both]
    differences = means[0] - means[1]
    low, high = np.quantile(differences, [(1 - level) / 2, (1 + level) / 2])
    scores = [balanced_accuracy(counts.sum(1)).mean() for counts in both]
    return ClassifierDifference(float(scores[0] - scores[1]), float(low), float(high))


def _confusions_by_cluster(labels: np.ndarray, predicted: np.ndarray, clusters: np.ndarray, classes: int) -> np.ndarray:
    """Count windows, (seeds, clusters, classes, classes), labels before predictions."""
    names, cluster = group_clusters(clusters)
    counts = np.zeros((len(predicted), len(names), classes, classes))
    for seed in range(len(predicted)):
        np.add.at(counts[seed], (cluster, labels, predicted[seed]), 1)
    return counts


def group_clusters(clusters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the names of the clusters, and the cluster of each window, (windows,), that a bootstrap draws from.

    Raises:
        InputError: there are fewer than two.
    """
    names, cluster = np.unique(clusters, return_inverse=True)
    if len(names) < 2:
        raise InputError(f"clusters: a bootstrap over subjects needs two or more (found {len(names)})")
    return names, cluster


def draw_subjects(rng: np.random.Generator, subjects: int, replicates: int) -> np.ndarray:
    """Draw how often each subject is taken, (replicates, subjects)."""
    return rng.multinomial(subjects, np.full(subjects, 1 / subjects), replicates)


def draw_seeds(rng: np.random.Generator, seeds: int, replicates: int) -> np.ndarray:
    """Draw the weight of each seed, (replicates, seeds); rows sum to 1."""
    return rng.multinomial(seeds, np.full(seeds, 1 / seeds), replicates) / seeds


def drawn_means(
    sums: Sequence[np.ndarray],
    statistic: Callable[[np.ndarray], np.ndarray],
    subject_weights: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Compute a statistic of each replicate, (replicates,): the mean over seeds, which are drawn here.

    Args:
        sums: of each seed (subjects, ...), what is summed over the windows of a subject.
        statistic: sums (replicates, ...) -> (replicates,).
        subject_weights: how often each replicate takes each subject, (replicates, subjects).
        rng: what the seeds are drawn with.
    """
    seed_weights = draw_seeds(rng, len(sums), len(subject_weights))
    by_seed = np.stack([statistic(np.tensordot(subject_weights, each, 1)) for each in sums], 1)
    return (by_seed * seed_weights).sum(1)


def chance_level(labels: np.ndarray) -> float:
    """Return the balanced accuracy of a classifier that knows nothing: one over the number of classes that occur."""
    return 1 / len(np.unique(labels))
