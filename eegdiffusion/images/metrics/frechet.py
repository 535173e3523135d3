"""Fréchet distance of two sets of feature vectors, each taken for a Gaussian (Heusel et al. 2017, arXiv:1706.08500)."""

import numpy as np

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.metrics.image_arrays import check_rows


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Compute |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), with sample covariances (divisor n - 1).

    With S = A'A, the trace of (S1 S2)^(1/2) is the sum of the singular values of A1 A2': no root of a matrix is taken,
    which is not well conditioned with fewer pictures than features, and nothing complex or negative appears. Few
    pictures bias the distance upwards: only distances of equal numbers of pictures compare.

    Args:
        first: (n, width) feature vectors.
        second: (m, width) feature vectors.

    Returns:
        0 or more.

    Raises:
        InputError: fewer than two rows, widths that differ, or values that are not finite.
    """
    check_rows("first", first)
    check_rows("second", second)
    if first.shape[1] != second.shape[1]:
        raise InputError(f"second: must be {first.shape[1]} wide, as first is (found {second.shape[1]})")
    means, factors = [], []
    for rows in (first.astype(np.float64), second.astype(np.float64)):
        means.append(rows.mean(0))
        centred = (rows - means[-1]) / np.sqrt(len(rows) - 1)
        factors.append(centred if len(rows) <= rows.shape[1] else np.linalg.qr(centred, mode="r"))
    spread = sum((factor**2).sum() for factor in factors)
    shared = np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum()
    return float(max(((means[0] - means[1]) ** 2).sum() + spread - 2 * shared, 0.0))
