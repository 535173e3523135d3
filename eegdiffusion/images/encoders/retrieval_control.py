"""The permuted-pairing control of retrieval: encoders that are trained on the images of other epochs.

What varies by chance from one control to the next is the pairing that was drawn, and it decides for every test image at
once: an encoder fitted to a wrong pairing has a map of its own, by chance a little with the right one or against it. So
the unit is a training with its own pairing. Test images, subjects and repetitions share that map, and a bootstrap over
images of few trainings has an interval that is too narrow: it misses chance more often, the more images there are.
"""

import numpy as np

from eegdiffusion.core.statistics.retrieval import Score

FEWEST = 5
"""Least number of trainings from which a control is judged: with fewer, the interval contains almost everything."""


def over_trainings(values: np.ndarray, level: float = 0.95) -> Score:
    """Average a score over trainings, each with a pairing of its own, and Student's t interval.

    Args:
        values: (trainings,) two or more for an interval, which is else NaN.
        level: nominal coverage.
    """
    from scipy.stats import t

    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return Score(mean, float("nan"), float("nan"))
    half = float(t.ppf((1 + level) / 2, count - 1) * np.std(values, ddof=1) / np.sqrt(count))
    return Score(mean, mean - half, mean + half)


def permutation_p(recorded: np.ndarray, controls: np.ndarray) -> float:
    """Compute p of the one-sided permutation test that recorded pairs are no better than pairs drawn at random.

    The share of trainings, the recorded one among them, that score as high as it; the worst of the recorded trainings
    stands for all of them.

    Args:
        recorded: (trainings,) scores with the recorded pairs.
        controls: (trainings,) scores with permuted pairs.
    """
    return float((1 + (controls >= recorded.min()).sum()) / (1 + len(controls)))
