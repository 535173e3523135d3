"""Processes that this one starts in the foreground: whatever ends this one ends them."""

import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

GRACE_S = 3.0
"""Ctrl-C in a terminal reaches the children too: they have this long to end before they are sent it once more."""

PATIENCE_S = 15.0
"""How long a child may take to end once it was told to, before it is told more firmly."""

POLL_S = 0.2
"""Seconds between two looks at a command that runs."""

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_children(*numbers: int, grace_s: float = 0.0, patience_s: float = PATIENCE_S) -> None:
    """End every process below this one.

    Args:
        *numbers: signals, from the gentlest on; who has not ended within ``patience_s`` gets the next, at last SIGKILL.
        grace_s: seconds to wait before the first.
        patience_s: seconds to wait after each.
    """
    import psutil

    running = psutil.Process().children(recursive=True)
    _, running = psutil.wait_procs(running, timeout=grace_s)
    for number in (*numbers, signal.SIGKILL):
        for process in running:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        _, running = psutil.wait_procs(running, timeout=patience_s)


@contextmanager
def ending_children() -> Iterator[None]:
    """When this process is told to end within the block, by Ctrl-C or SIGTERM, end all processes below it first."""

    def stop(number: int, _) -> None:
        raise SystemExit(128 + number)

    # Only a main thread has handlers.
    is_main = threading.current_thread() is threading.main_thread()
    before = {int(number): signal.getsignal(number) for number in ENDING} if is_main else {}
    for number in before:
        if number != signal.SIGINT:
            signal.signal(number, stop)
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        end_children(signal.SIGINT, signal.SIGTERM, grace_s=GRACE_S)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def foreground(words: Sequence[str], **options) -> int:
    """Run a command until it ends, and return its exit status; what ends this process ends it and all that it started.

    Args:
        words: the command.
        **options: of :class:`subprocess.Popen`.
    """
    process = subprocess.Popen(words, **options)
    with ending_children():
        # Asked now and then: a signal that another thread gets would not end a wait.
        while (status := process.poll()) is None:
            time.sleep(POLL_S)
        return status
