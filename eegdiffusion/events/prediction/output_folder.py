"""The folder that results go to: looked at before the work, and written by one process at a time."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.printable import say

PROBE_BYTES = 65536
"""So much must fit into the folder before the work begins."""


def require_folder_outside(out: Path, folder: Path) -> None:
    """Check the folder for the results of the recordings below another folder.

    Raises:
        InputError: it is a file, lies among the recordings, or cannot be written.
    """
    if out.suffix == ".csv" or out.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"--out: must be a folder outside {folder}, which is one (found {out})")
    require_writable(out)


def require_writable(folder: Path) -> None:
    """Check that files can be written to a folder, or to the nearest one above it that is there.

    Raises:
        InputError: they cannot; the message says why.
    """
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not place.is_dir():
        raise InputError(f"--out: {folder} must be a folder, and {place} is a file")
    try:
        with tempfile.TemporaryFile(dir=place, prefix=".") as probe:
            probe.write(bytes(PROBE_BYTES))
            probe.flush()
    except OSError as error:
        raise InputError(f"--out: {folder} must be a folder that takes files ({error.strerror or error})") from error


@contextmanager
def one_at_a_time(out: Path) -> Iterator[None]:
    """Make a folder, wait until no other process writes to it, and keep others from it."""
    from filelock import FileLock, Timeout

    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / ".recordings.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"{out}: another process writes to it; waiting until that is done")
        lock.acquire()
    except (OSError, NotImplementedError):  # a disk of the network that knows no locks
        say(f"{out}: cannot be locked; let no other process write to it")
    try:
        yield
    finally:
        lock.release()
