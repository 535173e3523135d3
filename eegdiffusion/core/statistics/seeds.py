"""Mean and standard deviation of a metric over training seeds."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """Summary of a metric over training seeds.

    Attributes:
        mean: arithmetic mean of the n values.
        sd: sample standard deviation, sqrt(sum (x - mean)^2 / (n - 1)); NaN for a single value.
        n: number of values.
    """

    mean: float
    sd: float
    n: int


def summarise_seeds(values: Sequence[float]) -> Summary:
    """Summarise a metric over training seeds, one value a seed."""
    import numpy as np  # a tenth of a second, which the error of an argument need not wait for

    scores = np.asarray(values, dtype=float)
    sd = float(scores.std(ddof=1)) if len(scores) > 1 else float("nan")
    return Summary(float(scores.mean()), sd, len(scores))
