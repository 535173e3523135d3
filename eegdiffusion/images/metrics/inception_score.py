"""Inception Score (Salimans et al. 2016, arXiv:1606.03498), of any classifier's probabilities."""

import numpy as np
from scipy.special import rel_entr

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.metrics.image_arrays import check_rows


def inception_score(probabilities: np.ndarray) -> float:
    """Compute exp of the mean divergence KL(p(class | image) || p(class)) over all images at once, not over splits.

    Args:
        probabilities: (images, classes) probabilities, rows that sum to 1.

    Returns:
        from 1 (every image is taken for the same mixture) to the number of classes.

    Raises:
        InputError: no such probabilities, or fewer than two images.
    """
    check_rows("probabilities", probabilities)
    probabilities = probabilities.astype(np.float64)
    if (probabilities < 0).any() or np.abs(probabilities.sum(1) - 1).max() > 1e-3:
        raise InputError("probabilities: must be 0 or more, and sum to 1 in each row")
    probabilities /= probabilities.sum(1, keepdims=True)
    return float(np.exp(rel_entr(probabilities, probabilities.mean(0)).sum(1).mean()))
