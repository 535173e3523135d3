"""Measures how much memory a function takes at several sizes, in a process of its own.

What is measured is anonymous memory: pages of files that are mapped can be dropped at any time.
"""

import ctypes
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

PERIOD_S = 0.002
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Numbers of ``mallopt``."""


def peaks(function: Callable[[int, Path], None], sizes: list[int]) -> list[int]:
    """Return the peak of anonymous memory in bytes while a function runs, at each size.

    Args:
        function: takes a size and a new folder to write to; a function of a module. It runs in a fork of a process that
            has imported that module and nothing else: what other tests have left in this one would be counted.
        sizes: sizes in ascending order; a first run at the smallest does not count.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([function.__module__])
    ours, theirs = context.Pipe()
    process = context.Process(target=_measure, args=(theirs, function, [*sizes[:1], *sizes]))
    process.start()
    theirs.close()
    try:
        return ours.recv()[1:]
    finally:
        process.join()


def _measure(connection: Connection, function: Callable[[int, Path], None], sizes: list[int]) -> None:
    import torch

    torch.set_num_threads(1)  # threads of the process before are none of a fork's
    # Memory that was freed goes back, so that none of an earlier run or step is counted again.
    for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
        assert ctypes.CDLL(None).mallopt(option, 2**16)
    connection.send([_peak(function, size) for size in sizes])


def _anonymous_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("/proc/self/status: no RssAnon")


def _peak(function: Callable[[int, Path], None], size: int) -> int:
    seen, ended = [_anonymous_bytes()], threading.Event()

    def watch() -> None:
        while not ended.is_set():
            seen.append(_anonymous_bytes())
            time.sleep(PERIOD_S)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            function(size, Path(folder))
    finally:
        ended.set()
        watcher.join()
    return max(seen)
