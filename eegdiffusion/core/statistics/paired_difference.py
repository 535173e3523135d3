"""Differences between two arms that reconstruct the same items."""

from dataclasses import dataclass

import numpy as np

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.statistics.retrieval import bootstrap


@dataclass(frozen=True)
class Difference:
    """Mean difference of paired scores, first minus second.

    Attributes:
        mean: mean difference over items.
        low, high: percentile bootstrap interval of the mean, which draws test images.
        above, below: numbers of test images on which the first arm is above, and below, in the mean of its items.
        p_sign: p of the two-sided sign test of those two; images without a difference do not count (Conover, Practical
            Nonparametric Statistics, section 3.4).
    """

    mean: float
    low: float
    high: float
    above: int
    below: int
    p_sign: float

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.low > 0 or self.high < 0


def paired_difference(
    first: np.ndarray, second: np.ndarray, images: np.ndarray, level: float = 0.95, replicates: int = 10_000
) -> Difference:
    """Compare two arms item by item.

    Test images are drawn, each with all of its items: subjects saw the same images, so the subjects are no further
    images. The interval is about other images of these subjects, not about other subjects.

    Args:
        first: (items,) scores of one arm.
        second: (items,) scores of the other, in the same order.
        images: (items,) number of the test image of each item.
        level: nominal coverage.
        replicates: number of bootstrap replicates; the draws are the same at every call.

    Returns:
        the mean difference, its interval and its sign test.

    Raises:
        InputError: shapes differ, a score is not finite, or there are fewer than two test images.
    """
    from scipy.stats import binomtest

    for name, array in (("second", second), ("images", images)):
        if array.shape != first.shape or first.ndim != 1:
            raise InputError(f"{name}: must be one for each of first's items {first.shape} (found {array.shape})")
    for name, array in (("first", first), ("second", second)):
        if not np.isfinite(array).all():
            raise InputError(f"{name}: must be finite (found {int((~np.isfinite(array)).sum())} that are not)")
    _, cluster = np.unique(images, return_inverse=True)
    if len(np.bincount(cluster)) < 2:
        raise InputError("images: a bootstrap over test images needs two or more (found 1)")
    differences = first - second
    score = bootstrap(differences, images, level, replicates)
    by_image = np.bincount(cluster, differences) / np.bincount(cluster)
    above, below = int((by_image > 1e-12).sum()), int((by_image < -1e-12).sum())
    p_sign = float(binomtest(above, above + below).pvalue) if above + below else 1.0
    return Difference(score.mean, score.low, score.high, above, below, p_sign)
