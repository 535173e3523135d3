"""Threads are set by the program: however a stage or a command is started, and in nobody else's program."""

import os
import subprocess
import sys

import pytest

from eegdiffusion.core.runtime import threads

BARE = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "EEG_"))}


def child(code, **variables):
    """Run Python code in an environment that says nothing of threads; return what it printed to both streams."""
    process = subprocess.run([sys.executable, "-c", code], env=BARE | variables, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return process.stdout + process.stderr


@pytest.mark.parametrize("package", ["components.ingest_events", "eegdiffusion.commands.app"])
def test_threads_of_stages_and_commands_wait_asleep(package):
    code = f"import os, {package}; print(os.environ['OMP_WAIT_POLICY'])"
    assert child(code) == "passive\n"
    assert child(code, OMP_WAIT_POLICY="active") == "active\n"


@pytest.mark.slow
def test_openmp_of_torch_reads_what_the_stages_package_sets():
    printed = child("import components, torch; torch.ones(9).sum()", OMP_DISPLAY_ENV="true")
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in printed


def test_importing_the_library_sets_nothing():
    assert child("import os; before = dict(os.environ); import eegdiffusion; print(dict(os.environ) == before)") == (
        "True\n"
    )


def test_a_quota_below_the_affinity_sets_the_number_of_threads(monkeypatch):
    for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(8)))
    threads.set_thread_defaults()
    assert "OMP_NUM_THREADS" not in os.environ or threads.allotted_cores() < 8
    monkeypatch.setattr(threads, "allotted_cores", lambda: 3)
    threads.set_thread_defaults()
    assert os.environ["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize(
    ("cores", "jobs", "wanted", "expected"),
    [
        (8, 2, None, 4),
        (8, 3, None, 3),
        (2, 4, None, 1),
        (8, 2, "1", 1),
        (8, 2, "6", 4),
        (16, 2, "4,2", 4),
        (8, 2, "0", 4),
        (8, 2, "many", 4),
    ],
)
def test_jobs_share_the_cores(monkeypatch, cores, jobs, wanted, expected):
    monkeypatch.setattr(threads, "allotted_cores", lambda: cores)
    monkeypatch.setenv("OMP_NUM_THREADS", wanted or "")
    assert threads.threads_of_each(jobs) == expected
