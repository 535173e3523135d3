"""Run one stage of the graph in this workspace, e.g. ``pretrain_ssmdp@base``.

It is ``dvc --wait-for-lock repro --single-item`` with what a scheduler needs. The exit status is 65 when the stage met
bad input, which DVC reports as 255 like any failure. And no two processes run one stage in one workspace: the second
waits, also when the first has lost the worker that started it, and then finds the stage done.
"""

import fcntl
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime

from eegdiffusion.core.runtime.errors import EXIT_BAD_INPUT
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.stage import WORK
from eegdiffusion.operations.lineage import lineage_transport
from eegdiffusion.operations.lineage.open_lineage import failed_stage_events
from eegdiffusion.operations.orchestration.dvc_command import dvc_words

_BAD_INPUT = re.compile(rf"exited with {EXIT_BAD_INPUT}\b")


def run_stage(name: str, *options: str) -> int:
    """Run a stage with its output passed on.

    Args:
        name: name of the stage in DVC, e.g. ``finetune_lft@recorded-0``.
        options: further options of ``dvc repro``.

    Returns:
        0, 65 for bad input, or DVC's exit status.
    """
    path = WORK / "locks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{name}: an earlier process still runs it; waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        began = datetime.now(UTC)
        # DVC inherits the lock: it holds as long as the stage runs, whatever becomes of this process.
        process = subprocess.Popen(
            dvc_words("--wait-for-lock", "repro", *options, "--single-item", name),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            pass_fds=[lock.fileno()],
        )
        # As a container's first process, it gets the signal alone.
        signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number))
        bad_input = False
        for line in process.stderr or ():
            sys.stderr.write(line)
            sys.stderr.flush()
            bad_input |= bool(line.startswith("ERROR") and _BAD_INPUT.search(line))
        status = process.wait()
    status = EXIT_BAD_INPUT if bad_input else status if status >= 0 else 128 - status
    _emit(name, began, status)
    return status


def _emit(name: str, began: datetime, status: int) -> None:
    """Say in OpenLineage's terms what became of the stage; one that had nothing to do says nothing new."""
    if status == 0:
        lineage_transport.emit_stages([name])
    else:
        words = f"exit status {status}" + (": bad input" if status == EXIT_BAD_INPUT else "")
        namespace = lineage_transport.namespace()
        lineage_transport.emit(failed_stage_events(name, namespace, began, datetime.now(UTC), words))


if __name__ == "__main__":
    raise SystemExit(run_stage(*sys.argv[1:]))
