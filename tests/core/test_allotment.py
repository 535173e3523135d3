"""A process uses the cores and the memory that container, scheduler and user leave to it."""

import os
from types import SimpleNamespace

import pytest

from components.preprocess_events import compute
from eegdiffusion.core.runtime import allotment

GIB = 2**30
VARIABLES = (*allotment.CORE_VARIABLES, "SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "OMP_NUM_THREADS")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of 64 cores without limits; a function that writes files of its control groups."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(allotment, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(allotment, "MEMBERSHIP", tmp_path / "membership")

    def write(membership: str, **files: str) -> None:
        (tmp_path / "membership").write_text(membership)
        for name, text in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")

    return write


V2, V1 = "0::/\n", "3:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n"
SLICE = "0::/system.slice/job.scope/task\n"


@pytest.mark.parametrize(
    ("membership", "files", "cores"),
    [
        (V2, {}, 64),
        (V2, {"cpu.max": "max 100000"}, 64),
        (V2, {"cpu.max": "200000 100000"}, 2),
        (V2, {"cpu.max": "150000 100000"}, 2),
        (V2, {"cpu.max": "50000 100000"}, 1),
        (V2, {"cpu.max": "9900000 100000"}, 64),
        (V2, {"cpu.max": "broken"}, 64),
        (SLICE, {"system.slice/job.scope/cpu.max": "400000 100000", "system.slice/cpu.max": "1000000 100000"}, 4),
        (SLICE, {"system.slice/job.scope/task/cpu.max": "max 100000", "system.slice/cpu.max": "300000 100000"}, 3),
        # The path is the host's; the container sees its own group as the root.
        (V1, {"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
        (V1, {"cpu/docker/abc/cpu.cfs_quota_us": "500000", "cpu/docker/abc/cpu.cfs_period_us": "100000"}, 5),
        (V1, {"cpu,cpuacct/docker/cpu.cfs_quota_us": "70000", "cpu,cpuacct/docker/cpu.cfs_period_us": "10000"}, 7),
        (V1, {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 64),
    ],
)
def test_the_cores_of_a_quota_are_found_at_every_level(machine, membership, files, cores):
    machine(membership, **files)
    assert allotment.allotted_cores() == allotment.available_cores() == cores


@pytest.mark.parametrize(
    ("variables", "allotted", "available"),
    [
        ({"EEG_TASK_CPUS": "2"}, 2, 2),
        ({"SLURM_CPUS_PER_TASK": "6"}, 6, 6),
        ({"PBS_NCPUS": "7"}, 7, 7),
        ({"NCPUS": "8"}, 8, 8),
        ({"NSLOTS": "9"}, 9, 9),
        ({"LSB_DJOB_NUMPROC": "10"}, 10, 10),
        ({"NSLOTS": "undefined"}, 16, 16),
        ({"SLURM_CPUS_PER_TASK": "6", "EEG_TASK_CPUS": "3"}, 3, 3),
        ({"OMP_NUM_THREADS": "5"}, 16, 5),
        ({"OMP_NUM_THREADS": "4,2"}, 16, 4),
        ({"OMP_NUM_THREADS": "99"}, 16, 16),
        ({"EEG_TASK_CPUS": "0", "SLURM_CPUS_PER_TASK": ""}, 16, 16),
    ],
)
def test_scheduler_and_user_may_ask_for_fewer_than_the_quota(machine, monkeypatch, variables, allotted, available):
    machine(V2, **{"cpu.max": "1600000 100000"})
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (allotment.allotted_cores(), allotment.available_cores()) == (allotted, available)


@pytest.mark.parametrize(
    ("membership", "files", "variables", "megabytes"),
    [
        (V2, {"memory.max": str(300 << 20)}, {}, 300),
        (V2, {"memory.max": "max", "memory.high": str(250 << 20)}, {}, 250),
        (V2, {"memory.max": "max"}, {"SLURM_MEM_PER_NODE": "200"}, 200),
        (V2, {"memory.max": str(300 << 20)}, {"SLURM_MEM_PER_CPU": "10", "SLURM_CPUS_PER_TASK": "3"}, 30),
        (SLICE, {"system.slice/memory.max": str(100 << 20)}, {}, 100),
        (V1, {"memory/memory.limit_in_bytes": str(500 << 20)}, {}, 500),
        (V1, {"memory/memory.limit_in_bytes": "9223372036854771712"}, {"SLURM_MEM_PER_NODE": "50"}, 50),
    ],
)
def test_the_memory_of_a_limit_is_found(machine, monkeypatch, membership, files, variables, megabytes):
    machine(membership, **files)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert allotment.available_memory() == megabytes << 20


def test_without_limits_the_memory_is_the_machines(machine):
    assert allotment.available_memory() == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    ("limit", "cores", "asked", "alone", "workers"),
    [
        (8 * GIB, 4, 0, False, 4),
        (3 * GIB, 8, 0, False, 3),
        (GIB // 2, 8, 0, False, 1),
        (2 * GIB, 4, 8, False, 8),
        (8 * GIB, 4, 0, True, 1),
    ],
)
def test_workers_of_preprocessing_share_cores_and_memory(machine, monkeypatch, limit, cores, asked, alone, workers):
    machine(V2, **{"memory.max": str(limit), "cpu.max": f"{cores}00000 100000"})
    monkeypatch.setattr(compute, "LocalCluster", lambda **settings: settings)
    monkeypatch.setattr(compute, "Client", lambda cluster: cluster)
    settings = SimpleNamespace(scheduler=None, workers=asked)
    cluster = compute.connect(settings, alone)
    assert cluster["n_workers"] == workers
    assert cluster["memory_limit"] == min(limit, allotment.available_memory()) // workers
    assert cluster["host"] == "127.0.0.1"
