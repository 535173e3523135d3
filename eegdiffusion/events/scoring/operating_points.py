"""Chooses the probability from which a second counts as an event, for a stated rate of false detections."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eegdiffusion.events.corpora.window_labels import Annotation
from eegdiffusion.events.prediction.sensitivity import LEVELS, OperatingPoint

RULE_OF_THREE = 3.0
"""Without a false detection in n hours the rate is below 3 / n an hour at 95 % confidence (Hanley, JAMA 1983)."""


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

    @property
    def quiet(self) -> np.ndarray:
        """Which seconds have a prediction and no event, (seconds,) of bool."""
        quiet = np.isfinite(self.probability)
        for event in self.events:
            quiet &= (self.onset_s + self.step_s <= event.start_s) | (
                self.onset_s >= max(event.stop_s, event.start_s + 1e-9)
            )
        return quiet


def _detections(seconds: ScoredSeconds, threshold: float) -> list[tuple[float, float]]:
    """Return starts and ends of the stretches of seconds whose probability is at least a threshold."""
    rows = np.flatnonzero(np.nan_to_num(seconds.probability, nan=-1.0) >= threshold)
    if not len(rows):
        return []
    onset, step = seconds.onset_s, seconds.step_s
    breaks = np.flatnonzero(np.diff(onset[rows]) > 1.5 * step) + 1
    return [(float(onset[part[0]]), float(onset[part[-1]] + step)) for part in np.split(rows, breaks)]


def count_at(recordings: Sequence[ScoredSeconds], threshold: float) -> tuple[int, int, int]:
    """Count at a threshold: true events, those of them that a detection overlaps, and detections that overlap none."""
    total = detected = false = 0
    for recording in recordings:
        detections = _detections(recording, threshold)
        total += len(recording.events)
        detected += sum(
            any(start < event.stop_s and event.start_s < stop for start, stop in detections)
            for event in recording.events
        )
        false += sum(
            not any(start < event.stop_s and event.start_s < stop for event in recording.events)
            for start, stop in detections
        )
    return total, detected, false


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
    hours = sum(recording.quiet.sum() * recording.step_s for recording in recordings) / 3600
    values = [recording.probability[np.isfinite(recording.probability)] for recording in recordings]
    thresholds = np.unique(np.concatenate([np.quantile(each, np.linspace(0, 1, 2001)) for each in values if len(each)]))
    counts = {float(threshold): count_at(recordings, threshold) for threshold in thresholds[thresholds > 0][::-1]}
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
        chosen = None
        for threshold, (total, detected, false) in counts.items():  # from the highest threshold down
            if false / hours > rate:
                break
            chosen = OperatingPoint(rate, threshold, false / hours, detected / total if total else None, hours)
        if chosen is None:
            refused[level] = f"no threshold costs {rate:.3g} false detections an hour or fewer"
        else:
            points[level] = chosen
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
