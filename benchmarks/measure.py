"""Timing of two ways to do one thing, in turn, in one process."""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass
class Row:
    """One line of the table.

    Attributes:
        what: is measured.
        sizes: sizes of the inputs.
        ours, plain: median seconds, or what ``unit`` says.
        peak_gib: peak resident memory of the process after our calls and before the plain ones, where it was taken.
        unit: unit of ``ours`` and ``plain``.
        against: the plain way.
    """

    what: str
    sizes: str
    ours: float
    plain: float
    against: str
    peak_gib: float | None = None
    unit: str = "s"

    @property
    def ratio(self) -> float:
        """How many times ours is less."""
        return self.plain / self.ours


def seconds(function: Callable) -> float:
    """Time one call."""
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def peak_gib() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def compare(
    what: str, sizes: str, ours: Callable, plain: Callable, against: str, rounds: int = 5, ours_each: int = 1
) -> Row:
    """Time both in turn, after one call of each that does not count.

    Args:
        what: what is measured, in words, for the table.
        sizes: sizes of the measured thing, in words, for the table.
        ours: function of this project; it is called without arguments.
        plain: function that it is compared with; it is called without arguments.
        against: what the plain function does, in words, for the table.
        rounds: how often both are timed in turn.
        ours_each: calls of ours in a round, so that a call of milliseconds has enough samples.
    """
    ours()
    peak = peak_gib()
    plain()
    times, plain_times = [], []
    for _ in range(rounds):
        times += [seconds(ours) for _ in range(ours_each)]
        plain_times.append(seconds(plain))
    return Row(what, sizes, median(times), median(plain_times), against, peak)
