"""How many threads a process computes with, and how they wait for each other.

OpenMP, and with it PyTorch, scikit-learn and BLAS, read their variables once, when the library is loaded: they are set
when the package of a stage or of the commands is imported, before anything that computes. Importing ``eegdiffusion``
alone sets nothing, as a program's threads are its own.
"""

import os
from pathlib import Path

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Quota and period in microseconds that a container, or a slice of cgroup v2, has; ``max`` is no quota."""


def available_cores(cpu_quota: Path = CPU_QUOTA) -> int:
    """Return the number of cores that this process may use: those of its affinity, or fewer by its container's quota.

    Args:
        cpu_quota: the file of the quota; without one the affinity decides.
    """
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = cpu_quota.read_text().split()
        return min(cores, max(1, -(-int(quota) // int(period))))
    except (OSError, ValueError):
        return cores


def threads_of_each(jobs: int) -> int:
    """Return the threads of each of ``jobs`` processes that run side by side: its share of the cores, at least 1.

    Where ``OMP_NUM_THREADS`` asks for fewer, those.
    """
    share, wanted = -(-available_cores() // jobs), os.environ.get("OMP_NUM_THREADS", "")
    return min(share, int(wanted)) if wanted.isdigit() else share


def set_thread_defaults() -> None:
    """Set how this process and its children use threads, where the environment does not say it.

    ``OMP_WAIT_POLICY=passive``: waiting threads sleep. Two processes whose threads spin on the same cores slow each
    other several times over. ``OMP_NUM_THREADS``: the cores of the container's quota, where that is less than the
    cores that the process sees, which is what libraries count.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if (cores := available_cores()) < len(os.sched_getaffinity(0)):
        os.environ.setdefault("OMP_NUM_THREADS", str(cores))
