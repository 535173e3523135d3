"""Metrics of classifiers of windows that may be of several classes, or of none, and how sure they are.

F1 of a class is 2 TP / (2 TP + FP + FN); the macro-F1 is its mean over the classes that occur.
"""

import numpy as np
import pandas
import sklearn.metrics

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.statistics.classification_metrics import (
    ClassifierDifference,
    Interval,
    draw_seeds,
    draw_subjects,
    drawn_means,
    group_clusters,
    interval_of_sums,
)

METRICS = ["f1_macro", "auroc", "auprc"]


def class_threshold(labels: np.ndarray, scores: np.ndarray) -> float:
    """Choose the threshold of a class with the highest F1; of equal ones, the one nearest to 0.5.

    Args:
        labels: (windows,), 0 or 1.
        scores: (windows,), from 0 to 1; a score at the threshold or above it counts as the class.

    Returns:
        a threshold in the middle between two scores; 0.5 where the class does not occur, or nothing else does.
    """
    if len(np.unique(labels)) < 2:
        return 0.5
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order].astype(np.float64), np.cumsum(labels[order])
    f1 = 2 * hits / (np.arange(1, len(scores) + 1) + hits[-1])
    lower = np.append(ordered[1:], 0.0)
    ends = np.flatnonzero((ordered > lower) | (np.arange(len(scores)) == len(scores) - 1))  # equal scores stay together
    middles = (ordered[ends] + lower[ends]) / 2
    best = np.flatnonzero(np.isclose(f1[ends], f1[ends].max()))
    return float(middles[best[np.abs(middles[best] - 0.5).argmin()]])


def class_thresholds(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Choose a threshold for each class, (classes,), see :func:`class_threshold`.

    Args:
        labels: (windows, classes) of 0 and 1.
        probabilities: (windows, classes).
    """
    return np.array([class_threshold(*columns) for columns in zip(labels.T, probabilities.T, strict=True)])


def multilabel_metrics(labels: np.ndarray, probabilities: np.ndarray, thresholds: np.ndarray) -> dict[str, float]:
    """Compute the means over classes of F1 at thresholds, and of AUROC and AUPRC.

    * ``f1_macro``: over the classes that occur.
    * ``auroc``, ``auprc``: over the classes that occur and are not in every window; NaN where there is none. AUPRC is
      the average precision.

    Args:
        labels: (windows, classes) of 0 and 1.
        probabilities: (windows, classes).
        thresholds: (classes,), see :func:`class_thresholds`.

    Returns:
        metric -> value, of :data:`METRICS`.
    """
    classes = [str(k) for k in range(labels.shape[1])]
    table = multilabel_per_class(labels, probabilities, thresholds, classes)
    return {"f1_macro": float(macro_f1(f1_counts(labels, probabilities >= thresholds).sum(0)))} | {
        metric: float(table[metric].mean()) for metric in ("auroc", "auprc")
    }


def best_multilabel_metrics(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Compute :func:`multilabel_metrics` at the thresholds that are best on these windows; for validation windows."""
    return multilabel_metrics(labels, probabilities, class_thresholds(labels, probabilities))


def multilabel_per_class(
    labels: np.ndarray, probabilities: np.ndarray, thresholds: np.ndarray, classes: list[str]
) -> pandas.DataFrame:
    """Compute precision, recall and F1 of each class at its threshold, AUROC, AUPRC, and its windows.

    A score is NaN where it would divide by nothing, or the class occurs in no window or in every one.

    Args:
        labels: (windows, classes) of 0 and 1.
        probabilities: (windows, classes).
        thresholds: (classes,).
        classes: names.

    Returns:
        ``threshold``, ``precision``, ``recall``, ``f1``, ``auroc``, ``auprc``, ``support``; a row for each class.
    """
    hits, wrong, missed = f1_counts(labels, probabilities >= thresholds).sum(0).T
    both = (labels.any(0) & ~labels.all(0)).tolist()
    with np.errstate(invalid="ignore"):
        columns = {
            "threshold": thresholds,
            "precision": hits / (hits + wrong),
            "recall": hits / (hits + missed),
            "f1": 2 * hits / (2 * hits + wrong + missed),
            "auroc": _by_class(sklearn.metrics.roc_auc_score, labels, probabilities, both),
            "auprc": _by_class(sklearn.metrics.average_precision_score, labels, probabilities, both),
            "support": (hits + missed).astype(int),
        }
    return pandas.DataFrame(columns, index=pandas.Index(classes, name="class"))


def _by_class(score, labels: np.ndarray, probabilities: np.ndarray, scored: list[bool]) -> list[float]:
    columns = zip(labels.T, probabilities.T, scored, strict=True)
    return [float(score(of_class, scores)) if has_score else float("nan") for of_class, scores, has_score in columns]


def f1_counts(labels: np.ndarray, predicted: np.ndarray, cluster: np.ndarray | None = None) -> np.ndarray:
    """Count the windows that macro-F1 is made of.

    Args:
        labels: (windows, classes) of 0 and 1.
        predicted: (windows, classes) of bool.
        cluster: (windows,) number of the cluster of each window; None: all are of one.

    Returns:
        (clusters, classes, 3): true positives, false positives, false negatives.
    """
    positive = labels.astype(bool)
    kinds = np.stack([positive & predicted, ~positive & predicted, positive & ~predicted], -1)
    if cluster is None:
        return kinds.sum(0)[None].astype(np.float64)
    counts = np.zeros((int(cluster.max()) + 1, *kinds.shape[1:]))
    np.add.at(counts, cluster, kinds)
    return counts


def macro_f1(counts: np.ndarray) -> np.ndarray:
    """Compute the macro-F1 of counts (..., classes, 3), see :func:`f1_counts`; (...)."""
    hits, wrong, missed = np.moveaxis(counts, -1, 0)
    with np.errstate(invalid="ignore"):
        f1 = np.where(hits + missed > 0, 2 * hits / (2 * hits + wrong + missed), np.nan)
    return np.nanmean(f1, axis=-1)


def macro_f1_interval(
    labels: np.ndarray,
    predicted: np.ndarray,
    clusters: np.ndarray,
    level: float = 0.95,
    replicates: int = 10_000,
) -> Interval:
    """Compute a percentile bootstrap interval of the macro-F1, averaged over seeds.

    Subjects and seeds are drawn as by :func:`.classification_metrics.bootstrap_interval`.

    Args:
        labels: (windows, classes) of 0 and 1.
        predicted: (seeds, windows, classes) of bool.
        clusters: (windows,), what tells the subjects apart.
        level: nominal coverage.
        replicates: number of replicates.

    Raises:
        InputError: there are fewer than two subjects.
    """
    _, cluster = group_clusters(clusters)
    return interval_of_sums([f1_counts(labels, each, cluster) for each in predicted], macro_f1, level, replicates)


def counting_difference(
    first: tuple[np.ndarray, np.ndarray, np.ndarray],
    second: tuple[np.ndarray, np.ndarray, np.ndarray],
    level: float = 0.95,
    replicates: int = 10_000,
) -> ClassifierDifference:
    """Compare the macro-F1 of one classifier by two ways of counting the windows of the same subjects.

    A replicate draws subjects and seeds once for both.

    Args:
        first: labels (windows, classes), predictions (seeds, windows, classes), clusters (windows,), counted one way.
        second: the same, counted the other way; the clusters and seeds are the same, the windows may be others.
        level: nominal coverage.
        replicates: number of replicates.

    Returns:
        first minus second, and its interval.

    Raises:
        InputError: there are fewer than two subjects, or the two ways are not of the same ones.
    """
    grouped = [group_clusters(clusters) for _, _, clusters in (first, second)]
    names = grouped[0][0]
    if not np.array_equal(names, grouped[1][0]):
        raise InputError("clusters: both ways of counting must be of the same subjects")
    rng = np.random.default_rng(0)
    weights = draw_subjects(rng, len(names), replicates)
    seed_weights = draw_seeds(rng, len(first[1]), replicates)
    differences, scores = [], []
    for (labels, predicted, _), (_, cluster) in zip((first, second), grouped, strict=True):
        counts = [f1_counts(labels, each, cluster) for each in predicted]
        differences.append((_drawn_f1(counts, weights) * seed_weights).sum(1))
        scores.append(float(np.mean([macro_f1(each.sum(0)) for each in counts])))
    low, high = np.quantile(differences[0] - differences[1], _ends(level))
    return ClassifierDifference(scores[0] - scores[1], float(low), float(high))


def paired_macro_f1(
    labels: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    clusters: np.ndarray,
    level: float = 0.95,
    replicates: int = 10_000,
) -> ClassifierDifference:
    """Compare two classifiers' macro-F1 on the same windows by a paired percentile bootstrap.

    As by :func:`.classification_metrics.paired_bootstrap`, a replicate draws the subjects once for both, and the seeds
    of each by themselves.

    Args:
        labels: (windows, classes) of 0 and 1.
        first: (seeds, windows, classes) of bool, of one classifier.
        second: (seeds, windows, classes) of the other, which may have another number of seeds.
        clusters: (windows,), what tells the subjects apart.
        level: nominal coverage.
        replicates: number of replicates.

    Returns:
        first minus second, and its interval.

    Raises:
        InputError: there are fewer than two subjects.
    """
    names, cluster = group_clusters(clusters)
    rng = np.random.default_rng(0)
    weights = draw_subjects(rng, len(names), replicates)
    means, scores = [], []
    for predicted in (first, second):
        counts = [f1_counts(labels, each, cluster) for each in predicted]
        means.append(drawn_means(counts, macro_f1, weights, rng))
        scores.append(float(np.mean([macro_f1(each.sum(0)) for each in counts])))
    low, high = np.quantile(means[0] - means[1], _ends(level))
    return ClassifierDifference(scores[0] - scores[1], float(low), float(high))


def _drawn_f1(counts: list[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Compute the macro-F1 of each replicate and seed, (replicates, seeds)."""
    return np.stack([macro_f1(np.tensordot(weights, each, 1)) for each in counts], 1)


def _ends(level: float) -> list[float]:
    return [(1 - level) / 2, (1 + level) / 2]
