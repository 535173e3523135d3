"""Prediction sets: which classes a second may be of, so that the true one is among them as often as was asked for.

Split conformal prediction by class (Vovk 2012, arXiv:1209.2673; Sadinle, Lei and Wasserman 2019, arXiv:1609.00451): a
class is in the set of a second where its probability is no lower than that of all but a few of the validation seconds
that are of the class. Events whose set holds more than one class are unsure.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eegdiffusion.core.runtime.errors import InputError


@dataclass(frozen=True)
class PredictionSets:
    """From which probability on a class is in the set of a second.

    Attributes:
        coverage: share of the seconds of each class whose set shall hold the class.
        least: class -> that probability; 0 puts the class into every set.
        seconds: class -> validation seconds that it was chosen on.
    """

    coverage: float
    least: dict[str, float]
    seconds: dict[str, int]


def fewest_seconds(coverage: float) -> int:
    """Return how many seconds of a class are needed, so that it need not be in every set."""
    return math.ceil(coverage / (1 - coverage) - 1e-9)


def calibrate_sets(
    probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str], coverage: float
) -> PredictionSets:
    """Choose the least probability of each class.

    Args:
        probabilities: (seconds, classes), finite, of seconds that trained nothing.
        labels: (seconds,) positions of the true classes.
        classes: names.
        coverage: share of the seconds of each class whose set shall hold the class, as long as they are exchangeable
            with these.

    Raises:
        InputError: the coverage is none.
    """
    if not 0 < coverage < 1:
        raise InputError(f"--coverage: must lie between 0 and 1 (found {coverage:g})")
    least, seconds = {}, {}
    for k, name in enumerate(classes):
        of_true = np.sort(probabilities[labels == k, k])
        # So many of n + 1 exchangeable seconds may lie below; the one to come is among them.
        below = math.floor((len(of_true) + 1) * (1 - coverage) + 1e-9)
        least[name] = float(of_true[below - 1]) if below else 0.0
        seconds[name] = len(of_true)
    return PredictionSets(coverage, least, seconds)


def in_sets(probabilities: np.ndarray, classes: Sequence[str], least: Mapping[str, float]) -> np.ndarray:
    """Return which classes are in the sets: (seconds, classes) of bool, of probabilities (seconds, classes)."""
    return probabilities >= np.array([least.get(name, 0.0) for name in classes])
