"""Events from the probabilities of sliding windows."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import pandas

UNUSABLE = "unusable"
"""Stands for a label where the windows could not be used."""


def merge_windows(
    probabilities: np.ndarray,
    classes: Sequence[str],
    background: str,
    step_s: float,
    offset_s: float,
    least: float = 0.0,
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

    Returns:
        a row for each event, in order: ``onset`` and ``duration`` in seconds, ``label``, and ``probability``, the mean
        of the label's over its windows; for stretches that are not usable the label says so and there is none.
    """
    asked = np.isfinite(probabilities).all(axis=1)
    best = np.where(asked, np.nan_to_num(probabilities).argmax(axis=1), -1)
    labels = [_label(*window, classes, background, least) for window in zip(probabilities, best, strict=True)]
    rows = []
    for label, group in groupby(range(len(labels)), key=labels.__getitem__):
        members = list(group)
        if label == background:
            continue
        event = {"onset": offset_s + members[0] * step_s, "duration": len(members) * step_s, "label": label}
        mean = np.nan if label == UNUSABLE else probabilities[members, best[members[0]]].mean()
        rows.append(event | {"probability": mean})
    return pandas.DataFrame(rows, columns=["onset", "duration", "label", "probability"])


def _label(probabilities: np.ndarray, best: int, classes: Sequence[str], background: str, least: float) -> str:
    if best < 0:
        return UNUSABLE
    return classes[best] if probabilities[best] >= least else background
