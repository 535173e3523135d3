"""Chooses the probability from which a second counts as an event, for a stated rate of false detections."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eegdiffusion.events.corpora.window_labels import Annotation
from eegdiffusion.events.prediction.sensitivity import LEVELS, OperatingPoint

RULE_OF_THREE = 3.0
"""Without a false detection in n hours the rate is below 3 / n an hour at 95 % confidence (Hanley, JAMA 1983)."""

_POINT_S = 1e-9
"""Length that an event without one has, so that it lies in a second."""

_NONE = -1.0
"""Stands for the probability of seconds without a prediction: below every threshold."""


@dataclass(frozen=True)
class ScoredSeconds:
    """Probabilities of one class in the seconds of a recording, and its true events.

    Attributes:
        onset_s: (seconds,) beginning of each second, in order.
        probability: (seconds,), NaN where there is no prediction.
        events: the reference's events of the class.
        step_s: seconds from row to row.
    """

    onset_s: np.ndarray
    probability: np.ndarray
    events: Sequence[Annotation]
    step_s: float = 1.0

    def rows_of(self, event: Annotation) -> slice:
        """Return the seconds that an event lies in; one without a length lies in the second that it begins in."""
        stop_s = max(event.stop_s, event.start_s + _POINT_S)
        first = np.searchsorted(self.onset_s, event.start_s - self.step_s, side="right")
        return slice(int(first), int(np.searchsorted(self.onset_s, stop_s, side="left")))

    @property
    def eventful(self) -> np.ndarray:
        """Which seconds an event lies in, (seconds,) of bool."""
        eventful = np.zeros(len(self.onset_s), bool)
        for event in self.events:
            eventful[self.rows_of(event)] = True
        return eventful

    @property
    def quiet(self) -> np.ndarray:
        """Which seconds have a prediction and no event, (seconds,) of bool."""
        return np.isfinite(self.probability) & ~self.eventful


@dataclass(frozen=True)
class DetectionCurve:
    """What is detected at each threshold that makes a difference, from the highest one down.

    A detection is a stretch of seconds of at least the threshold; one that no event lies in is false.

    Attributes:
        threshold: (thresholds,) the probabilities above 0 that occur, falling.
        detected: (thresholds,) true events that a detection overlaps.
        false: (thresholds,) detections that overlap none.
        events: number of true events.
    """

    threshold: np.ndarray
    detected: np.ndarray
    false: np.ndarray
    events: int


def detection_curve(recordings: Sequence[ScoredSeconds]) -> DetectionCurve:
    """Count detections at all thresholds, in a time that grows as that of sorting the seconds.

    Of a row of seconds those above a threshold make as many stretches as there are such seconds less pairs of
    neighbours that both are. Likewise with the seconds of events alone, two of which belong to one stretch where all
    seconds between them are above the threshold; the other stretches are false.
    """
    seconds, links, true_seconds, true_links, best = [], [], [], [], []
    for recording in recordings:
        probability = np.nan_to_num(recording.probability, nan=_NONE)
        apart = np.diff(recording.onset_s) > 1.5 * recording.step_s
        link = np.where(apart, _NONE, np.minimum(probability[:-1], probability[1:]))
        rows = np.flatnonzero(recording.eventful)
        seconds.append(probability)
        links.append(link)
        true_seconds.append(probability[rows])
        if len(rows) > 1:
            true_links.append(np.minimum.reduceat(link[: rows[-1]], rows[:-1]))
        best.append([probability[recording.rows_of(event)].max(initial=_NONE) for event in recording.events])

    def at_least(parts: Sequence[Sequence[float] | np.ndarray]) -> np.ndarray:
        values = np.sort(np.concatenate([np.empty(0), *parts]))
        return len(values) - np.searchsorted(values, threshold, side="left")

    occurring = np.unique(np.concatenate([np.empty(0), *seconds]))
    threshold = occurring[occurring > 0][::-1]
    false = at_least(seconds) - at_least(links) - (at_least(true_seconds) - at_least(true_links))
    return DetectionCurve(threshold, at_least(best), false, sum(map(len, best)))


def choose_points(
    recordings: Sequence[ScoredSeconds], rate_per_hour: float
) -> tuple[dict[str, OperatingPoint], dict[str, str]]:
    """Choose a class's threshold at each sensitivity: the lowest from which on no higher one costs more than the rate.

    A point needs ``RULE_OF_THREE`` / rate hours of recordings without events of the class, so that a rate as low as
    that can be told from none.

    Args:
        recordings: the class's probabilities and events.
        rate_per_hour: false detections an hour at medium sensitivity.

    Returns:
        sensitivity -> point; sensitivity -> why there is none.
    """
    hours = float(sum(recording.quiet.sum() * recording.step_s for recording in recordings)) / 3600
    curve = detection_curve(recordings)
    points, refused = {}, {}
    for level, factor in LEVELS.items():
        rate = rate_per_hour * factor
        if hours < RULE_OF_THREE / rate:
            refused[level] = (
                f"must be chosen on {RULE_OF_THREE / rate:.3g} h or more without events of the class for {rate:.3g} "
                f"false detections an hour (found {hours:.3g} h, which allow {RULE_OF_THREE / hours:.3g} an hour at "
                f"best)"
                if hours
                else "must be chosen on recordings with seconds without events of the class (found none)"
            )
            continue
        costly = np.flatnonzero(curve.false / hours > rate)
        lowest = (int(costly[0]) if len(costly) else len(curve.threshold)) - 1
        if lowest < 0:
            refused[level] = f"no threshold costs {rate:.3g} false detections an hour or fewer"
        else:
            false_per_hour = float(curve.false[lowest]) / hours
            sensitivity = float(curve.detected[lowest]) / curve.events if curve.events else None
            points[level] = OperatingPoint(rate, float(curve.threshold[lowest]), false_per_hour, sensitivity, hours)
    return points, refused


def parse_rates(texts: Sequence[str]) -> dict[str, float]:
    """Read rates such as ``spsw=9/h`` and ``sz=1/day``: class in lower case -> false detections an hour.

    Raises:
        ValueError: a text is no rate.
    """
    units = {"h": 1.0, "hour": 1.0, "d": 24.0, "day": 24.0}
    rates: dict[str, float] = {}
    for text in texts:
        label, _, rate = text.lower().partition("=")
        number, _, unit = rate.partition("/")
        value = float(number) / units[unit] if unit in units else float("nan")
        if not label or not 0 < value < float("inf"):
            raise ValueError(text)
        rates[label] = value
    return rates


def points_by_level(
    chosen: Mapping[str, tuple[dict[str, OperatingPoint], dict[str, str]]],
) -> tuple[dict[str, dict[str, OperatingPoint]], dict[str, str]]:
    """Sort the points of classes by sensitivity, and name what was refused by class and sensitivity."""
    levels = {
        level: {label: points[level] for label, (points, _) in chosen.items() if level in points} for level in LEVELS
    }
    refused = {f"{label}, {level}": why for label, (_, reasons) in chosen.items() for level, why in reasons.items()}
    return levels, refused
