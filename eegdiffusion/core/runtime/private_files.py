"""Files on a machine of many users: stores, models, reports and logs are their owner's alone."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError

VARIABLE = "EEG_UMASK"
"""Environment variable with what others may not, in octal as ``umask`` takes it: ``0027`` lets one's group read."""

FOLDERS = ("data", "models", "reports", "mlruns", "runs", ".work", ".airflow", ".cache", ".dvc")
"""Folders of a clone that hold results, logs and DVC's cache; git and DVC make some of them by the shell's umask."""


def mask() -> int:
    """Return the bits that new files do not get.

    Raises:
        InputError: the environment's is no octal number, or takes away what the owner needs.
    """
    text = os.environ.get(VARIABLE) or "0077"
    if not (set(text) <= set("01234567") and int(text, 8) <= 0o077):
        raise InputError(f"{VARIABLE}: must be an octal number up to 0077 (found {text!r})")
    return int(text, 8)


def keep_private(root: Path) -> None:
    """Make files that this process and its children write private, and close a clone's folders that are open.

    Args:
        root: the clone. Folders in it that are links, another user's, or mounted read-only, stay as they are.
    """
    bits = mask()
    os.umask(bits)
    for name in FOLDERS:
        path = root / name
        with suppress(OSError):
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and status.st_mode & bits:
                path.chmod(stat.S_IMODE(status.st_mode) & ~bits)
