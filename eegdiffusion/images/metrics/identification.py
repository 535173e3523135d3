"""Likeness of feature vectors of images: two-way identification and correlation distance."""

import numpy as np

from eegdiffusion.images.metrics.image_arrays import check_alike, check_rows

TIE = 1e-9
"""Correlations that are closer than this count as equal."""


def _unit(rows: np.ndarray) -> np.ndarray:
    """Centre and scale rows: their products are Pearson's correlations, 0 for a row of one value."""
    rows = rows.astype(np.float64)
    flat = np.ptp(rows, axis=1, keepdims=True) == 0
    rows -= rows.mean(1, keepdims=True)
    return rows / np.where(flat, np.inf, np.linalg.norm(rows, axis=1, keepdims=True))


def two_way(seen: np.ndarray, reconstructed: np.ndarray) -> np.ndarray:
    """Compute two-way identification: how often a reconstruction is more like the image seen than like another one.

    With r[j, i], the correlation of the features of seen image j and reconstruction i, the share of the j other than
    i with r[j, i] < r[i, i]. The share is of N - 1: ENIGMA's code takes one more off the count, which strict comparison
    already leaves out, so its numbers have a ceiling of (N - 2) / (N - 1). Ties count half, so a reconstruction that
    has nothing to do with what was seen gets 0.5 also where it is flat.

    Args:
        seen: (N, width) features of the images seen, each image once.
        reconstructed: (N, width) features of their reconstructions.

    Returns:
        (N,) in 0..1; chance is 0.5.

    Raises:
        InputError: shapes that differ, fewer than two rows, or values that are not finite.
    """
    _check(seen, reconstructed)
    likeness = _unit(seen) @ _unit(reconstructed).T
    margin = np.diagonal(likeness) - likeness
    wins = (margin > TIE) + 0.5 * (np.abs(margin) <= TIE)
    return (wins.sum(0) - 0.5) / (len(seen) - 1)  # an image ties with itself


def correlation_distance(seen: np.ndarray, reconstructed: np.ndarray) -> np.ndarray:
    """Compute one minus Pearson's correlation of the features of each pair, where less is better.

    Args:
        seen: (N, width) features of the images seen.
        reconstructed: (N, width) features of their reconstructions.

    Returns:
        (N,) in 0..2.

    Raises:
        InputError: shapes that differ, fewer than two rows, or values that are not finite.
    """
    _check(seen, reconstructed)
    return 1 - (_unit(seen) * _unit(reconstructed)).sum(1)


def _check(seen: np.ndarray, reconstructed: np.ndarray) -> None:
    check_rows("seen", seen)
    check_alike("reconstructed", reconstructed, "seen", seen)
    check_rows("reconstructed", reconstructed)
