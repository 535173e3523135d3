"""Chooses from which probability of background on a first pass at coarser steps may skip what lies between."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas

from eegdiffusion.events.prediction.coarse_pass import CoarsePass, two_passes
from eegdiffusion.events.prediction.event_list import UNUSABLE, background_class, merge_windows
from eegdiffusion.events.prediction.sensitivity import OperatingPoint

STEPS = (2, 3, 4, 5)
"""Steps in seconds that can be chosen; windows of two steps overlap."""

SAME_SECONDS, FOUND_EVENTS = 0.995, 0.98
"""Least share of the seconds whose class stays the same, and of the events that are found, on validation recordings."""


def coarse_passes(
    recordings: Sequence[np.ndarray], classes: Sequence[str], levels: Mapping[str, Mapping[str, OperatingPoint]]
) -> dict[str, dict[str, CoarsePass]]:
    """Choose first passes at each sensitivity and step; those that would miss too much are not among them.

    Args:
        recordings: (seconds, classes) probabilities of each piece, every second of which was classified.
        classes: names.
        levels: sensitivity -> class -> operating point.

    Returns:
        sensitivity -> step in seconds, as text -> first pass; none for a model without a class of background.
    """
    background = background_class(classes)
    passes: dict[str, dict[str, CoarsePass]] = {}
    for level, points in levels.items() if background in classes else ():
        thresholds = {label: point.threshold for label, point in points.items()}
        chosen = {str(step): choose_coarse(recordings, classes, background, step, thresholds) for step in STEPS}
        passes[level] = {step: each for step, each in chosen.items() if each is not None}
    return passes


def choose_coarse(
    recordings: Sequence[np.ndarray],
    classes: Sequence[str],
    background: str,
    step: int,
    thresholds: Mapping[str, float] | None = None,
) -> CoarsePass | None:
    """Choose the least probability of plain background that misses no more than is allowed, for a step.

    Args:
        recordings: (seconds, classes) probabilities of each piece, every second of which was classified.
        classes: names.
        background: the class that is no event.
        step: seconds from window to window in the first pass.
        thresholds: class -> probability from which on a second is of it.

    Returns:
        the first pass that asks about the fewest seconds; None where none misses so little.
    """
    position = list(classes).index(background)
    values = np.concatenate([each[np.isfinite(each).all(axis=1), position] for each in recordings])
    candidates = np.unique(np.quantile(values, np.linspace(0, 1, 101))) if len(values) else np.zeros(0)
    low, high = 0, len(candidates)  # misses fall as the threshold rises, but for chance
    best = None
    while low < high:
        middle = (low + high) // 2
        tried = _try(recordings, classes, background, step, float(candidates[middle]), thresholds)
        if tried.same >= SAME_SECONDS and (tried.detected is None or tried.detected >= FOUND_EVENTS):
            best, high = tried, middle
        else:
            low = middle + 1
    return best


def _try(
    recordings: Sequence[np.ndarray],
    classes: Sequence[str],
    background: str,
    step: int,
    plain: float,
    thresholds: Mapping[str, float] | None,
) -> CoarsePass:
    """Return what a first pass costs: the worst of all seconds that it can begin with, as events may be periodic."""
    begun = [
        _cost([exact[first:] for exact in recordings], classes, background, step, plain, thresholds)
        for first in range(step)
    ]
    detected = [each.detected for each in begun if each.detected is not None]
    return CoarsePass(
        step=step,
        plain=plain,
        asked=float(np.mean([each.asked for each in begun])),
        same=min(each.same for each in begun),
        detected=min(detected, default=None),
    )


def _cost(
    recordings: Sequence[np.ndarray],
    classes: Sequence[str],
    background: str,
    step: int,
    plain: float,
    thresholds: Mapping[str, float] | None,
) -> CoarsePass:
    position = list(classes).index(background)
    asked = same = seconds = detected = events = 0
    for exact in recordings:
        if not len(exact):
            continue
        usable = np.isfinite(exact).all(axis=1)

        def ask(rows: np.ndarray, exact: np.ndarray = exact) -> np.ndarray:
            nonlocal asked
            asked += int(rows.sum())
            return np.where(rows[:, None], exact, np.nan)

        coarse = two_passes([len(exact)], position, step, plain, usable, ask)
        seconds += int(usable.sum())
        tables = [merge_windows(each, classes, background, 1.0, 0.0, thresholds=thresholds) for each in (exact, coarse)]
        labels = [_labels(table, len(exact)) for table in tables]
        same += int((labels[0] == labels[1])[usable].sum())
        for event in tables[0].itertuples():
            if event.label != UNUSABLE:
                events += 1
                part = labels[1][int(event.onset) : int(event.onset + event.duration)]
                detected += int((part == event.label).any())
    return CoarsePass(
        step, plain, asked / max(seconds, 1), same / max(seconds, 1), detected / events if events else None
    )


def _labels(table: pandas.DataFrame, seconds: int) -> np.ndarray:
    labels = np.full(seconds, "", dtype=object)
    for event in table.itertuples():
        labels[int(event.onset) : int(event.onset + event.duration)] = event.label
    return labels
