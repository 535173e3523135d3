"""Events from the probabilities of sliding windows."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pandas

from eegdiffusion.events.corpora import chbmit, tuev
from eegdiffusion.events.prediction.prediction_sets import PredictionSets, in_sets
from eegdiffusion.events.prediction.sensitivity import NO_CLASS, decide

if TYPE_CHECKING:
    from eegdiffusion.events.prediction.derived_signals import DerivedPiece

UNUSABLE = "unusable"
"""Stands for a label where there is no prediction: the windows could not be used, or nothing was recorded."""

SHORTEST_GAP_S = 0.02
"""A shorter pause is rounding of the clock."""

BACKGROUNDS = (tuev.BACKGROUND, chbmit.BACKGROUND)
"""Names of the class that is no event, in the layouts that have one."""

CHANNELS, FOCUS = "channels", "focus"
"""Columns of the channels that carry an event, and of its focus, see :mod:`.event_channels`."""

UNSURE = "unsure"
"""Column of the other classes that an event may be of, where prediction sets are known."""

SEPARATOR = ","
"""Stands between the names of channels, and of classes."""

COLUMNS = ["onset", "duration", "label", "probability"]


def merge_windows(
    probabilities: np.ndarray,
    classes: Sequence[str],
    background: str,
    step_s: float,
    offset_s: float,
    least: float = 0.0,
    thresholds: Mapping[str, float] | None = None,
) -> pandas.DataFrame:
    """Merge neighbouring windows of one most probable class into events.

    A window stands for the ``step_s`` seconds at its centre, where events lie in training. Background is no event.

    Args:
        probabilities: (windows, classes); NaN for windows that are not usable.
        classes: names of the classes.
        background: the one that is no event.
        step_s: seconds between windows.
        offset_s: seconds from the start of a window to the second that it stands for.
        least: windows whose class is less probable are taken for background.
        thresholds: class -> probability from which on a window is of it, see :func:`.sensitivity.decide`.

    Returns:
        a row for each event, in order: ``onset`` and ``duration`` in seconds, ``label``, and ``probability``, the mean
        of the label's over its windows; for stretches that are not usable the label says so and there is none.
    """
    asked = np.isfinite(probabilities).all(axis=1)
    best = decide(np.nan_to_num(probabilities), classes, thresholds or {}, least)
    decided = [background if each == NO_CLASS else classes[each] for each in best]
    labels = [label if usable else UNUSABLE for label, usable in zip(decided, asked, strict=True)]
    rows = []
    for label, group in groupby(range(len(labels)), key=labels.__getitem__):
        members = list(group)
        if label == background:
            continue
        event = {"onset": offset_s + members[0] * step_s, "duration": len(members) * step_s, "label": label}
        mean = np.nan if label == UNUSABLE else probabilities[members, best[members[0]]].mean()
        rows.append(event | {"probability": mean})
    return pandas.DataFrame(rows, columns=COLUMNS)


def background_class(classes: Sequence[str]) -> str:
    """Return the name of the class that is no event, in upper or lower case; TUEV's where no class bears one."""
    return next((name for name in classes if name.lower() in BACKGROUNDS), tuev.BACKGROUND)


def gaps(pieces: Sequence["DerivedPiece"], rate_hz: float) -> pandas.DataFrame:
    """List what has no prediction because of pauses: the pauses, and the pieces that are shorter than a window.

    Args:
        pieces: pieces of the recording, in order.
        rate_hz: rate of their samples.

    Returns:
        a row for each, as :func:`merge_windows` has them, with the label ``unusable``.
    """
    rows = []
    for before, piece in zip([None, *pieces[:-1]], pieces, strict=True):
        end_s = before.onset_s + before.samples / rate_hz if before else piece.onset_s
        if piece.onset_s - end_s > SHORTEST_GAP_S:
            rows.append((end_s, piece.onset_s - end_s))
        if not len(piece.starts):
            rows.append((piece.onset_s, piece.samples / rate_hz))
    return pandas.DataFrame(
        [{"onset": onset, "duration": duration, "label": UNUSABLE, "probability": np.nan} for onset, duration in rows],
        columns=COLUMNS,
    )


def list_events(
    probabilities: Sequence[np.ndarray],
    pieces: Sequence["DerivedPiece"],
    rate_hz: float,
    classes: Sequence[str],
    background: str,
    step_s: float,
    offset_s: float,
    least: float = 0.0,
    thresholds: Mapping[str, float] | None = None,
) -> pandas.DataFrame:
    """List the events of all pieces, by the clock, and what has no prediction.

    Args:
        probabilities: (windows, classes) of each piece.
        pieces: the pieces, in order.
        rate_hz: rate of their samples.
        classes: names of the classes.
        background: the one that is no event.
        step_s: seconds between windows.
        offset_s: seconds from the start of a window to the second that it stands for.
        least: windows whose class is less probable are taken for background.
        thresholds: class -> probability from which on a window is of it.

    Returns:
        a table as :func:`merge_windows` has it; no event goes on over a pause.
    """
    tables = [gaps(pieces, rate_hz)]
    for piece, windows in zip(pieces, probabilities, strict=True):
        onset_s = piece.onset_s + offset_s
        tables.append(merge_windows(windows, classes, background, step_s, onset_s, least, thresholds))
    filled = [table for table in tables if len(table)]
    if not filled:
        return tables[0]
    return pandas.concat(filled, ignore_index=True).sort_values("onset", kind="stable", ignore_index=True)


def rows_of_events(events: pandas.DataFrame, times_s: np.ndarray, step_s: float) -> list[np.ndarray]:
    """Return the positions of the seconds of each event; none of stretches without a prediction.

    Args:
        events: ``onset`` and ``duration`` in seconds, ``label``.
        times_s: (seconds,) beginning of each second that was classified, in order.
        step_s: length of one.
    """
    low = np.searchsorted(times_s, events["onset"].to_numpy(np.float64) - step_s / 2)
    high = np.searchsorted(times_s, (events["onset"] + events["duration"]).to_numpy(np.float64) - step_s / 2)
    usable = events["label"] != UNUSABLE
    return [np.arange(a, b if use else a) for a, b, use in zip(low, high, usable, strict=True)]


def mark_unsure(
    events: pandas.DataFrame,
    times_s: np.ndarray,
    step_s: float,
    probabilities: np.ndarray,
    classes: Sequence[str],
    sets: PredictionSets,
) -> pandas.DataFrame:
    """Add the column ``unsure``: other classes in the set of an event's mean probabilities, with a comma between.

    Args:
        events: ``onset`` and ``duration`` in seconds, ``label``; in order.
        times_s: (seconds,) beginning of each second, in order.
        step_s: length of one.
        probabilities: (seconds, classes); NaN where there is none.
        classes: names.
        sets: from which probability on each class is in a set.
    """
    cells = []
    for event, rows in zip(events.itertuples(), rows_of_events(events, times_s, step_s), strict=True):
        names: list[str] = []
        if event.label != UNUSABLE:
            mean = probabilities[rows].mean(axis=0)
            members = in_sets(mean[None], classes, sets.least)[0]
            names = [name for name, member in zip(classes, members, strict=True) if member and name != event.label]
        cells.append(SEPARATOR.join(names))
    return events.assign(**{UNSURE: cells})
