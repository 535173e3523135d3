"""How many threads a process computes with, and how they wait for each other.

OpenMP, and with it PyTorch, scikit-learn and BLAS, read their variables once, when the library is loaded: they are set
when the package of a stage or of the commands is imported, before anything that computes. Importing ``eegdiffusion``
alone sets nothing, as a program's threads are its own.
"""

import os

from eegdiffusion.core.runtime.allotment import THREADS, allotted_cores, wanted_threads


def threads_of_each(jobs: int) -> int:
    """Return the threads of each of ``jobs`` processes that run side by side: its share of the cores, at least 1.

    Where ``OMP_NUM_THREADS`` asks for fewer, those.
    """
    share = -(-allotted_cores() // jobs)
    return min(share, wanted_threads() or share)


def set_thread_defaults() -> None:
    """Set how this process and its children use threads, where the environment does not say it.

    ``OMP_WAIT_POLICY=passive``: waiting threads sleep. Two processes whose threads spin on the same cores slow each
    other several times over. ``OMP_NUM_THREADS``: the cores that are allotted, where those are fewer than the process
    sees, which is what libraries count.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if (cores := allotted_cores()) < len(os.sched_getaffinity(0)):
        os.environ.setdefault(THREADS, str(cores))
