"""How many cores and how much memory this process may use, by all who have a say: the kernel, a container, a scheduler.

Libraries look at less: PyTorch and OpenMP at the affinity alone, loky at the root of the control groups. The files are
read when a function is called, and cost less than the import of a library that would read some of them.
"""

import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
"""Control groups of this process, a line for each hierarchy: ``number:controllers:path``."""

CORES_OF_TASK = "EEG_TASK_CPUS"
"""Environment variable by which an orchestrator of this project says how many cores a task may use."""

CORE_VARIABLES = (CORES_OF_TASK, "SLURM_CPUS_PER_TASK", "PBS_NCPUS", "NCPUS", "NSLOTS", "LSB_DJOB_NUMPROC")
"""Variables that say how many cores are a task's: of this project, Slurm, PBS, Grid Engine and LSF."""

THREADS = "OMP_NUM_THREADS"

UNLIMITED = 1 << 60
"""Bytes from which on version 1 of the control groups means no limit."""


def _limits(controller: str, name: str) -> Iterator[str]:
    """Yield what a file holds in this process's control group of a controller and in every group above it."""
    try:
        lines = MEMBERSHIP.read_text().splitlines()
    except OSError:
        lines = []
    # In a container its own group is the root, whatever path the host knows it by.
    groups = [(CGROUPS, "/"), (CGROUPS / controller, "/")]
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            groups.append((CGROUPS, path))
        elif controller in controllers.split(","):
            groups += [(CGROUPS / folder, path) for folder in {controller, controllers}]
    seen = set()
    for root, path in groups:
        folder = root / path.lstrip("/")
        for group in (folder, *folder.parents):
            if group.is_relative_to(root) and group not in seen:
                seen.add(group)
                try:
                    yield (group / name).read_text().strip()
                except OSError:
                    continue


def _quotas() -> Iterator[int]:
    """Yield the cores of each quota, rounded up."""
    for text in _limits("cpu", "cpu.max"):
        quota, _, period = text.partition(" ")
        if quota.isdigit() and period.isdigit():
            yield max(1, -(-int(quota) // int(period)))
    periods = list(_limits("cpu", "cpu.cfs_period_us"))
    for quota, period in zip(_limits("cpu", "cpu.cfs_quota_us"), periods, strict=False):
        if quota.isdigit() and period.isdigit() and int(quota):
            yield max(1, -(-int(quota) // int(period)))


def _number_in(variable: str) -> int | None:
    """Return the positive number that an environment variable holds; of a list, as OpenMP's, the first."""
    text = os.environ.get(variable, "").partition(",")[0].strip()
    return int(text) if text.isdecimal() and int(text) else None


def allotted_cores() -> int:
    """Return the number of cores that the machine, the container and the scheduler leave to this process.

    The least of: its affinity; the CPU quota of its control group and of every group above (versions 1 and 2, a part of
    a core counts as one); :data:`CORE_VARIABLES`. At least 1.
    """
    by_scheduler = [number for name in CORE_VARIABLES if (number := _number_in(name))]
    return min([len(os.sched_getaffinity(0)), *_quotas(), *by_scheduler])


def wanted_threads() -> int | None:
    """Return the number of threads that ``OMP_NUM_THREADS`` asks for; None where it asks for none."""
    return _number_in(THREADS)


def available_cores() -> int:
    """Return the number of cores that this process may keep busy, by threads or by processes of one thread each.

    It is :func:`allotted_cores`, or fewer where ``OMP_NUM_THREADS`` asks for fewer.
    """
    cores = allotted_cores()
    return min(cores, wanted_threads() or cores)


def available_memory() -> int:
    """Return the bytes of memory that this process and its children may use together.

    The least of: the machine's memory; the limit of its control group and of every group above (versions 1 and 2), of
    which ``memory.high`` slows down who passes it;
    ``SLURM_MEM_PER_NODE``, or ``SLURM_MEM_PER_CPU`` for each core, in megabytes.
    """
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("memory.max", "memory.high", "memory.limit_in_bytes"):
        limits += [int(text) for text in _limits("memory", name) if text.isdigit() and int(text) < UNLIMITED]
    if megabytes := _number_in("SLURM_MEM_PER_NODE"):
        limits.append(megabytes << 20)
    if megabytes := _number_in("SLURM_MEM_PER_CPU"):
        limits.append((megabytes << 20) * allotted_cores())
    return min(limits)
