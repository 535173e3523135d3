"""Operating points: the probability from which a second is an event of a class, by how many false ones it costs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.text_files import read_json
from eegdiffusion.events.prediction.coarse_pass import CoarsePass
from eegdiffusion.events.prediction.prediction_sets import PredictionSets

LEVELS = {"low": 1 / 3, "medium": 1.0, "high": 3.0}
"""Sensitivity -> factor on the rate of false detections that is asked for."""


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold of one class.

    Attributes:
        rate_per_hour: false detections an hour that were asked for.
        threshold: least probability of an event's seconds.
        false_per_hour: false detections an hour that it costs on the recordings that it was chosen on.
        sensitivity: share of the reference's events that it finds there; None where there are none.
        hours: hours of them without events of the class.
    """

    rate_per_hour: float
    threshold: float
    false_per_hour: float
    sensitivity: float | None
    hours: float


@dataclass(frozen=True)
class OperatingPoints:
    """Operating points of one model.

    Attributes:
        model: what it is called.
        model_id: MLflow's identifier of the model that the probabilities are of.
        levels: sensitivity -> class -> point.
        refused: class and sensitivity for which there is none, and why.
        sets: from which probability on each class is plausible; None in files from before there were such sets.
        coarse: sensitivity -> step in seconds, as text -> first pass at such steps; none where it would miss too much.
    """

    model: str
    model_id: str
    levels: dict[str, dict[str, OperatingPoint]]
    refused: dict[str, str]
    sets: PredictionSets | None = None
    coarse: dict[str, dict[str, CoarsePass]] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return them as plain data; :func:`read_operating_points` reads it."""
        return asdict(self)

    def thresholds(self, level: str) -> dict[str, float]:
        """Return the threshold of each class that has one at a sensitivity."""
        return {label: point.threshold for label, point in self.levels.get(level, {}).items()}


def read_operating_points(path: Path) -> OperatingPoints:
    """Read a file that ``eeg operating-points`` wrote.

    Raises:
        InputError: it is none.
    """
    document = read_json(path)
    try:
        levels = {
            level: {label: OperatingPoint(**point) for label, point in points.items()}
            for level, points in document["levels"].items()
        }
        sets = document.get("sets")
        coarse = {
            level: {step: CoarsePass(**fields) for step, fields in passes.items()}
            for level, passes in document.get("coarse", {}).items()
        }
        points = OperatingPoints(
            document["model"],
            document["model_id"],
            levels,
            dict(document["refused"]),
            sets and PredictionSets(**sets),
            coarse,
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(f"{path}: must hold operating points that eeg operating-points wrote ({error!r})") from error
    for level in points.levels.values():
        for label, point in level.items():
            if not isinstance(point.threshold, int | float) or not 0 < point.threshold <= 1 + 1e-9:
                raise InputError(f"{path}: {label}: threshold must lie between 0 and 1 (found {point.threshold!r})")
    for label, value in points.sets.least.items() if points.sets else ():
        if not isinstance(value, int | float) or not 0 <= value <= 1 + 1e-9:
            raise InputError(f"{path}: sets: {label}: must lie between 0 and 1 (found {value!r})")
    return points


NO_CLASS = -1
"""Stands for the class of seconds of which no class is probable enough."""


def decide(
    probabilities: np.ndarray, classes: Sequence[str], thresholds: Mapping[str, float], least: float = 0.0
) -> np.ndarray:
    """Decide on the class of each second.

    A second is of the class whose probability exceeds its threshold most, as a ratio; where none does, it is of the
    most probable class among those without a threshold, if that is probable enough.

    Args:
        probabilities: (seconds, classes), finite.
        classes: names.
        thresholds: class -> least probability.
        least: least probability of classes without a threshold.

    Returns:
        (seconds,) positions in ``classes``, or :data:`NO_CLASS`.
    """
    with_threshold = np.array([thresholds.get(name, np.inf) for name in classes])
    ratios = probabilities / with_threshold
    others = np.where(np.isinf(with_threshold), probabilities, -1.0)
    best = np.where(others.max(axis=1) >= least, others.argmax(axis=1), NO_CLASS)
    return np.where(ratios.max(axis=1) >= 1, ratios.argmax(axis=1), best)
