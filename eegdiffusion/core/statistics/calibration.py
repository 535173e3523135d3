"""Whether probabilities come true: temperature scaling, the calibration error, and reliability.

Guo et al., On Calibration of Modern Neural Networks, ICML 2017 (arXiv:1706.04599).
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.statistics.classification_metrics import Interval, group_clusters, interval_of_sums

BINS = 15
"""Bins of equal width that the calibration error is summed over, as in the paper."""

LOWEST, HIGHEST = 0.05, 20.0
"""Range of temperatures; labels that contradict every prediction would ask for an infinite one."""

_TINY = float(np.finfo(np.float32).tiny)


def _log(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(np.asarray(probabilities, np.float64), _TINY))


def fit_temperature(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Find the temperature T that makes softmax(log p / T) most likely (Guo et al., section 4.2).

    Args:
        labels: (windows,), 0-based.
        probabilities: (windows, classes); they are of windows that trained nothing.

    Returns:
        T, between ``LOWEST`` and ``HIGHEST``: above 1 for probabilities that are too sure, below for too unsure ones.
        1 where every label is the most probable class: the lower T, the likelier they are, without an end, and of a few
        easy windows all probabilities would become 1.

    Raises:
        InputError: there is no window, or a probability is not finite.
    """
    if not len(labels) or not np.isfinite(probabilities).all():
        raise InputError(f"probabilities: must be finite, of one window or more (found {len(labels)} windows)")
    logs, rows = _log(probabilities), np.arange(len(labels))
    if (logs[rows, labels] >= logs.max(-1)).all():
        return 1.0

    def loss(log_temperature: float) -> float:
        return -float(log_softmax(logs / np.exp(log_temperature), axis=-1)[rows, labels].mean())

    best = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(best.x))


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return softmax(log p / T) of probabilities (..., classes); 1 / T undoes T."""
    return softmax(_log(probabilities) / temperature, axis=-1)


@dataclass(frozen=True)
class Reliability:
    """Windows by the probability of their most probable class, in ``BINS`` bins of equal width.

    Attributes:
        count: (bins,) windows.
        confidence: (bins,) their mean probability; NaN in an empty bin.
        accuracy: (bins,) the share whose most probable class is right; NaN in an empty bin.
    """

    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def _bin_sums(
    labels: np.ndarray, probabilities: np.ndarray, cluster: np.ndarray | None = None, clusters: int = 1
) -> np.ndarray:
    """Sum windows, probabilities of the most probable class, and right ones: (clusters, bins, 3)."""
    confidence = np.asarray(probabilities, np.float64).max(-1)
    # A probability on the edge of two bins is of the lower one; there is no bin below the first.
    bin_of = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    sums = np.zeros((clusters, BINS, 3))
    right = probabilities.argmax(-1) == labels
    values = np.stack([np.ones_like(confidence), confidence, right], -1)
    np.add.at(sums, (np.zeros(len(labels), int) if cluster is None else cluster, bin_of), values)
    return sums


def _error(sums: np.ndarray) -> np.ndarray:
    """Compute the calibration error from sums (..., bins, 3)."""
    return np.abs(sums[..., 1] - sums[..., 2]).sum(-1) / sums[..., 0].sum(-1)


def reliability(labels: np.ndarray, probabilities: np.ndarray) -> Reliability:
    """Sort windows into bins by the probability of their most probable class.

    Args:
        labels: (windows,), 0-based.
        probabilities: (windows, classes).
    """
    count, confidence, right = _bin_sums(labels, probabilities)[0].T
    with np.errstate(invalid="ignore"):
        return Reliability(count.astype(int), confidence / count, right / count)


def calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Compute the expected calibration error, the mean of |accuracy - confidence| over bins, weighted by their windows.

    It is 0 where of windows with probability p the share p is right. Of few windows it is above 0 by chance alone.

    Args:
        labels: (windows,), 0-based.
        probabilities: (windows, classes).
    """
    return float(_error(_bin_sums(labels, probabilities)[0]))


def calibration_interval(
    labels: np.ndarray,
    probabilities: np.ndarray,
    clusters: np.ndarray,
    level: float = 0.95,
    replicates: int = 10_000,
) -> Interval:
    """Compute a percentile bootstrap interval of the calibration error, averaged over seeds.

    Subjects and seeds are drawn as for the balanced accuracy, see :func:`.classification_metrics.bootstrap_interval`.

    Args:
        labels: (windows,), 0-based.
        probabilities: (seeds, windows, classes).
        clusters: (windows,), what tells the subjects apart.
        level: nominal coverage.
        replicates: number of replicates.

    Raises:
        InputError: there are fewer than two subjects.
    """
    names, cluster = group_clusters(clusters)
    sums = [_bin_sums(labels, each, cluster, len(names)) for each in probabilities]
    return interval_of_sums(sums, _error, level, replicates)
