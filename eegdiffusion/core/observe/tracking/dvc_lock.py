"""Reads ``dvc.lock`` while other stages of the workspace end.

DVC writes the file in place, under the lock of its repository: who reads without that lock may find half of it.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATH = Path("dvc.lock")
GUARD = Path(".dvc") / "tmp" / "lock"
"""File that DVC locks while it reads or writes its own files; not while a stage runs."""

PATIENCE_S = 60.0
"""Who holds the lock for longer does not write all that time: a ``dvc push`` in another shell."""


@contextmanager
def _no_writer() -> Iterator[None]:
    if not GUARD.exists():
        yield
        return
    with GUARD.open("rb") as guard:
        begun = time.monotonic()
        while time.monotonic() - begun < PATIENCE_S:
            try:
                fcntl.flock(guard, fcntl.LOCK_SH | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.05)
        yield  # closing the file gives the lock back, and DVC asks for it again and again for three seconds


def read() -> str | None:
    """Return the text of ``dvc.lock``; None before the first ``dvc repro``."""
    with _no_writer():
        return PATH.read_text() if PATH.exists() else None
