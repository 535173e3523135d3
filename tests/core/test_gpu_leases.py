"""Leases of GPUs, taken by real processes; the devices are pretended, the locks are the kernel's."""

import itertools
import os
import signal
import subprocess
import sys
import time

import pytest

from eegdiffusion.core.runtime import gpu_leases
from eegdiffusion.core.runtime.gpu_leases import leases_folder, listed_gpus, take
from tests.e2e.workspace import ROOT

HOLD = """
import os, sys, time
from eegdiffusion.core.runtime.gpu_leases import leased_to_this_process
count, seconds, name = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
with leased_to_this_process(count, name, lambda line: print(f"{name}: {line}", file=sys.stderr, flush=True)) as ids:
    print("has", time.monotonic(), ",".join(ids), os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
    time.sleep(seconds)
    print("ends", time.monotonic(), flush=True)
"""


@pytest.fixture
def start(tmp_path):
    """Start a process that holds GPUs for a time; all are ended with the test."""
    processes = []

    def begin(count, seconds, name="stage", **variables):
        own = {"EEG_GPUS": "0,1", "EEG_GPU_LEASES": str(tmp_path), "PYTHONPATH": str(ROOT)}
        environment = {k: v for k, v in os.environ.items() if k not in ("CUDA_VISIBLE_DEVICES", "EEG_LEASED_GPUS")}
        words = [sys.executable, "-c", HOLD, str(count), str(seconds), name]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen(words, env=environment | own | variables, cwd=tmp_path, **streams))
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def wait_for_line(process):
    return process.stdout.readline().split()


def test_processes_at_once_never_share_a_gpu_and_use_all(start):
    running = [start(1 + k % 2, 0.3, f"stage-{k}") for k in range(6)]
    spans = []
    for process in running:
        said, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        (_, begun, ids, visible), (_, ended) = (line.split() for line in said.splitlines())
        assert ids == visible
        spans += [(float(begun), float(ended), gpu) for gpu in ids.split(",")]
    assert {gpu for _, _, gpu in spans} == {"0", "1"}
    for gpu in "01":
        own = sorted(span for span in spans if span[2] == gpu)
        assert all(first[1] <= second[0] for first, second in itertools.pairwise(own))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_dead_process_had_is_free_again(start, number):
    first = start(2, 60, "first")
    assert wait_for_line(first)[2] == "0,1"
    second = start(1, 0, "second")
    line = second.stderr.readline()
    assert f"second: waits for 1 of the GPUs 0, 1 (0: first, process {first.pid}, since 20" in line
    first.send_signal(number)
    assert wait_for_line(second)[2] == "0"
    assert "second: has waited" in second.stderr.readline()


def test_who_asked_first_is_served_first_however_much_it_wants(start):
    """One GPU is free all the time; who wants both is not passed by those that want one."""
    first = start(1, 2.5, "first")
    wait_for_line(first)
    wide = start(2, 0, "wide")
    wide.stderr.readline()
    narrow = start(1, 0, "narrow")
    assert narrow.stderr.readline().rstrip().endswith("; 1 asked earlier")
    assert float(wait_for_line(wide)[1]) < float(wait_for_line(narrow)[1])


def test_a_place_in_the_queue_dies_with_its_process(start):
    first = start(2, 2.0, "first")
    wait_for_line(first)
    impatient = start(2, 60, "impatient")
    impatient.stderr.readline()
    impatient.kill()
    impatient.wait()
    assert wait_for_line(start(1, 0, "patient"))[2] == "0"


def test_a_lease_lasts_as_long_as_one_of_its_processes(start, tmp_path):
    """A container or a rank joins the lease of whoever started it."""
    leader = start(1, 60, "leader")
    (gpu,) = wait_for_line(leader)[2].split(",")
    follower = start(1, 60, "follower", EEG_LEASED_GPUS=gpu)
    assert wait_for_line(follower)[2] == gpu
    leader.kill()
    leader.wait()
    other = start(2, 0, "other")
    other.stderr.readline()
    time.sleep(2 * gpu_leases.POLL_S)
    assert other.poll() is None
    follower.kill()
    assert wait_for_line(other)[2] == "0,1"


def test_more_than_the_list_has_is_refused_at_once(tmp_path):
    with pytest.raises(ValueError, match="3 GPUs were asked for, and the list has 2: a, b"):
        take(3, ["a", "b"], tmp_path, "x", print)
    assert not list(tmp_path.iterdir())


def test_gpus_that_are_in_use_beside_the_list_are_not_taken(tmp_path):
    busy = [["0"], []]
    lease = take(1, ["0", "1"], tmp_path, "x", print, busy=lambda: busy[0])
    assert lease.ids == ("1",)
    lease.close()
    assert take(2, ["0", "1"], tmp_path, "x", print, busy=lambda: busy.pop(0)).ids == ("0", "1")


@pytest.mark.parametrize(
    "variables",
    [{"WORLD_SIZE": "2", "LOCAL_RANK": "1"}, {"SLURM_STEP_NUM_TASKS": "4"}, {"EEG_GPUS": ""}, {"EEG_LEASED_GPUS": ""}],
)
def test_nothing_is_taken_where_another_gives_the_devices(start, tmp_path, variables):
    process = start(1, 0, **variables)
    said, errors = process.communicate(timeout=60)
    assert said.split()[0] == "has", errors
    assert said.split()[2] == "None"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"EEG_GPUS": "1, 3"}, ["1", "3"]),
        ({"EEG_GPUS": "", "CUDA_VISIBLE_DEVICES": "2"}, []),
        ({"CUDA_VISIBLE_DEVICES": "GPU-8932f937,GPU-1"}, ["GPU-8932f937", "GPU-1"]),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, []),
    ],
)
def test_the_list(variables, expected):
    assert listed_gpus(variables) == expected


def test_one_list_for_the_commands_airflow_and_its_containers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    by_hand = leases_folder({})
    assert by_hand.parent == tmp_path / "runs" / ".gpus"
    assert by_hand == leases_folder({"EEG_REPOSITORY": str(tmp_path), "EEG_RUNS": str(tmp_path / "runs")})
    assert leases_folder({"EEG_GPU_LEASES": "/shared"}).parent.as_posix() == "/shared"
