"""Metrics over training seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Summary:
    """Mean and sample standard deviation (divisor n - 1; NaN for a single value) of n values."""

    mean: float
    sd: float
    n: int


def over_seeds(values: Sequence[float]) -> Summary:
    """Summarise a metric over training seeds."""
    values = np.asarray(values, dtype=float)
    sd = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    return Summary(float(values.mean()), sd, len(values))
