"""Parts of a training split for which there are labels."""

import math

import numpy as np

from eegdiffusion.core.runtime.errors import InputError


def draw_labelled(labels: np.ndarray, subjects: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a fraction of a training split's windows, subject by subject.

    Whole subjects are drawn until there are enough windows, as recordings are labelled one by one; of the last subject
    as many windows as are missing, at random. Draws in which fewer than two classes occur are drawn again.

    Args:
        labels: (windows,) 0-based.
        subjects: (windows,) what tells the subjects apart.
        fraction: share of the windows, above 0, at most 1.
        rng: source of the draw.

    Returns:
        sorted rows, a share of ``fraction`` of the windows, rounded up, two at least.

    Raises:
        InputError: the labels are of fewer than two classes, or no draw of this size held two in 1000.
    """
    if len(np.unique(labels)) < 2:
        raise InputError(f"labels: must be of two classes or more (found {np.unique(labels).tolist()})")
    count = max(2, math.ceil(fraction * len(labels)))
    names = np.unique(subjects)
    for _ in range(1000):
        rows = np.concatenate([rng.permutation(np.flatnonzero(subjects == name)) for name in rng.permutation(names)])
        drawn = np.sort(rows[:count])
        if len(np.unique(labels[drawn])) > 1:
            return drawn
    raise InputError(f"fraction: must leave two classes among {count} windows (found {fraction:g})")
