"""A first pass at coarser steps: seconds between two that are plainly background are not asked about.

What that misses depends on the model and on how brief events are, so that the least probability of plain background is
chosen on validation recordings of which every second was classified, by
:mod:`eegdiffusion.events.scoring.coarse_choice`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CoarsePass:
    """A first pass, and what it cost on validation recordings.

    Attributes:
        step: seconds from window to window.
        plain: least probability of background from which on a second is plainly background.
        asked: share of the seconds that were asked about.
        same: share of the seconds whose class was that of the exhaustive mode.
        detected: share of the exhaustive mode's events that one of the same class overlapped; None if there were none.
    """

    step: int
    plain: float
    asked: float
    same: float
    detected: float | None

    def sentence(self, asked: float) -> str:
        """Say what was done to a recording, ``asked`` being the share of its seconds that were asked about."""
        cost = f"{self.same:.1%} of the seconds had the same class"
        cost += "" if self.detected is None else f", {self.detected:.1%} of the events were found"
        return (
            f"{asked:.0%} of the seconds were classified, after a first pass at steps of {self.step} s; the others lie "
            f"between two that are plainly background (on validation recordings {cost})"
        )


def coarse_rows(count: int, step: int) -> np.ndarray:
    """Return which of ``count`` seconds the first pass asks about: each ``step``-th and the last, (count,) of bool."""
    rows = np.zeros(count, bool)
    rows[::step] = True
    rows[-1:] = True
    return rows


def rows_between(background: np.ndarray, asked: np.ndarray, plain: float) -> np.ndarray:
    """Return which seconds the second pass asks about: those next to a second that is not plainly background.

    Args:
        background: (seconds,) probability of background where ``asked``; NaN where there is no prediction.
        asked: (seconds,) of bool, see :func:`coarse_rows`.
        plain: least probability of plain background.

    Returns:
        (seconds,) of bool, none of those that were asked.
    """
    places = np.flatnonzero(asked)
    doubtful = ~(background[places] >= plain)  # no prediction is no background
    rows = np.zeros(len(asked), bool)
    for k in np.flatnonzero(doubtful[:-1] | doubtful[1:]).tolist():
        rows[places[k] + 1 : places[k + 1]] = True
    return rows


def fill_between(probabilities: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Fill the seconds that were not asked about with what lies between their neighbours that were.

    Args:
        probabilities: (seconds, classes), any value where not ``asked``.
        asked: (seconds,) of bool, the first and the last among them.

    Returns:
        (seconds, classes).
    """
    places = np.flatnonzero(asked)
    filled = probabilities.copy()
    others = np.flatnonzero(~asked)
    for k in range(probabilities.shape[1]):
        filled[others, k] = np.interp(others, places, probabilities[places, k])
    return filled


def two_passes(
    lengths: Sequence[int],
    background: int,
    step: int,
    plain: float,
    usable: np.ndarray,
    ask: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Classify the seconds of a recording in two passes.

    Args:
        lengths: seconds of each piece of the recording, which follow one another.
        background: position of the class that is no event.
        step: seconds from window to window in the first pass.
        plain: least probability of plain background.
        usable: (seconds,) of bool; others have no prediction.
        ask: (seconds,) of bool, all of them usable -> (seconds, classes), NaN elsewhere.

    Returns:
        (seconds, classes); between seconds that are plainly background the values are interpolated, NaN where there is
        no prediction.
    """
    ends = np.cumsum(lengths)
    pieces = [slice(end - length, end) for end, length in zip(ends.tolist(), lengths, strict=True) if length]
    asked = np.zeros(len(usable), bool)
    for piece in pieces:
        asked[piece] = coarse_rows(piece.stop - piece.start, step)
    probabilities = ask(asked & usable)
    between = np.zeros_like(asked)
    for piece in pieces:
        between[piece] = rows_between(probabilities[piece, background], asked[piece], plain)
    probabilities[between] = ask(between & usable)[between]
    for piece in pieces:
        probabilities[piece] = fill_between(probabilities[piece], (asked | between)[piece])
    probabilities[~usable] = np.nan
    return probabilities
