"""``dvc repro`` as the commands start it: one at a time in a clone, where git and params.yaml are in order."""

import configparser
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eegdiffusion.core.runtime.git_repository import require_repository
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.processes import foreground
from eegdiffusion.core.runtime.stage import WORK
from eegdiffusion.operations.lineage import lineage_transport
from eegdiffusion.operations.orchestration.dvc_command import dvc_words

LOCK = WORK / "locks" / "repro"
"""File that the process which runs the graph holds locked, with a line about itself."""


def is_without_git(dvc: Path = Path(".dvc")) -> bool:
    """Whether DVC's settings say that this clone has no git (``core.no_scm``)."""
    settings = configparser.ConfigParser(strict=False)
    settings.read([dvc / "config", dvc / "config.local"])
    return settings.get("core", "no_scm", fallback="false").lower() in ("true", "1", "yes", "on")


@contextmanager
def alone() -> Iterator[int]:
    """Be the one process that runs the graph of this clone; wait for another, and say which.

    Yields:
        the descriptor of the lock; a child that inherits it holds the lock on, whatever becomes of this process.

    Raises:
        InputError: git does not work here, and DVC is to use it.
    """
    if not is_without_git():
        require_repository(Path.cwd())
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            say(f"{LOCK}: {holder} runs the stages of this clone; waiting for its end", stream=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(f"process {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        file.flush()
        yield file.fileno()


def repro(lock: int, *stages: str) -> int:
    """Run ``dvc repro``, and return its exit status.

    Args:
        lock: what :func:`alone` yields.
        *stages: names of stages; the whole graph when none is given.
    """
    status = foreground(dvc_words("--wait-for-lock", "repro", *stages), pass_fds=[lock])
    lineage_transport.emit_stages()  # also of what ran before another stage has failed
    return status
