"""Measures what files of tests cost: ``python -m benchmarks.suite tests/dags/test_runs.py ...``, a row for each.

CPU seconds are those of all processes that a file starts, also of servers that outlive it for a moment: they become
children of this process. Wall time is what a busy machine makes of them.
"""

import ctypes
import os
import resource
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
PATIENCE_S = 20.0


def measure(words: list[str]) -> tuple[float, float, str]:
    """Run pytest with these words.

    Returns:
        CPU seconds, wall seconds, and pytest's last line.
    """
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", *words], capture_output=True, text=True)
    wall_s = time.monotonic() - started
    while time.monotonic() < started + wall_s + PATIENCE_S:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if not pid:
            time.sleep(0.1)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu_s, wall_s, (done.stdout.strip().splitlines() or [done.stderr])[-1]


def main() -> None:
    """Print a Markdown row for each argument."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    print("| file | CPU s | wall s | |\n|---|--:|--:|---|")
    for name in sys.argv[1:]:
        cpu_s, wall_s, last = measure(name.split())
        print(f"| {name} | {cpu_s:.0f} | {wall_s:.0f} | {last.strip('= ')} |", flush=True)


if __name__ == "__main__":
    main()
