"""Progress of long work: a bar in a terminal, and in a log a line now and then."""

import sys
import time
from collections.abc import Iterable
from typing import Any, TextIO

from tqdm import tqdm

from eegdiffusion.core.runtime.printable import say

PERIOD_S = 30.0
"""Seconds between two lines of a log; what takes less has none."""

LINE = "{desc}: {unit} {n_fmt} of {total_fmt}, {elapsed} gone, {remaining} left{postfix}"


class _Lines:
    """A stream that writes each state of a bar as a line of its own."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> None:
        """Write the text as a line, unless it only moves the cursor."""
        if text := text.strip():
            say(text, stream=self._stream)

    def flush(self) -> None:
        """Write out what the stream holds."""
        self._stream.flush()


class _Logged(tqdm):
    """A bar whose states are lines, of which none follows another sooner than after :data:`PERIOD_S`."""

    def refresh(self, *args: Any, **options: Any) -> None:
        """Write a line, if it is time for one."""
        if time.time() - getattr(self, "last_print_t", 0.0) >= PERIOD_S:
            super().refresh(*args, **options)


def progress[T](
    iterable: Iterable[T] | None = None,
    desc: str | None = None,
    total: float | None = None,
    unit: str = "item",
    **options: Any,
) -> tqdm:
    """Show how far a loop is, on stderr: by a bar where it is a terminal, else by a line every half minute.

    Args:
        iterable: what is iterated over; None: :meth:`tqdm.tqdm.update` says how much is done.
        desc: what is done.
        total: number of items, where ``iterable`` does not tell it.
        unit: what an item is called.
        **options: further arguments of :class:`tqdm.tqdm`.

    Returns:
        the bar, an iterable and a context manager.
    """
    if sys.stderr.isatty():
        return tqdm(iterable, desc, total, unit=unit, **options)
    period = {"mininterval": PERIOD_S, "maxinterval": PERIOD_S, "delay": PERIOD_S, "miniters": 1}
    options |= {"file": _Lines(sys.stderr), "bar_format": LINE, "leave": False, "position": 0, **period}
    return _Logged(iterable, desc, total, unit=unit, **options)
