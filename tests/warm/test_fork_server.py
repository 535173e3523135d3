"""A process of the fork server is to its caller as one of the real program."""

import os
import signal
import subprocess
import time

import psutil
import pytest

from tests.e2e.workspace import environment
from tests.warm.fork_server import programs

MODULE = """
import json, os, sys, threading, time
from components import beside

print(json.dumps([sys.argv[1:], os.getcwd(), os.environ["GIVEN"], sys.stdin.read(), __name__, beside.__file__]))
print("of errors", file=sys.stderr)
threading.Thread(target=lambda: (time.sleep(0.2), print("late"))).start()
if sys.argv[1] == "raise":
    raise ValueError("of the module")
if sys.argv[1] == "message":
    raise SystemExit("a message")
if sys.argv[1] == "sleep":
    print(os.getpid(), flush=True)
    time.sleep(600)
raise SystemExit(int(sys.argv[1]))
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "components").mkdir()
    (tmp_path / "components/toy.py").write_text(MODULE)
    (tmp_path / "components/beside.py").touch()
    return tmp_path


def _start(folder, *words, warm=True, **options):
    variables = environment(warm) | {"GIVEN": "a value"}
    program = programs() / "python" if warm else "python"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        [program, "-m", "components.toy", *words], cwd=folder, env=variables, **pipes | options
    )  # fmt: skip


@pytest.mark.parametrize("word", ["0", "3", "65", "raise", "message"])
def test_arguments_streams_environment_and_status_are_the_real_ones(folder, word):
    told = []
    for warm in (True, False):
        process = _start(folder, word, "two words", warm=warm)
        output, errors = process.communicate("what is typed")
        told.append((process.returncode, output, [line for line in errors.splitlines() if "File" not in line][-1]))
    assert told[0] == told[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_who_ends_the_caller_ends_the_process(folder, number):
    process = _start(folder, "sleep")
    process.stdin.close()
    process.stdout.readline()
    pid = int(process.stdout.readline())
    assert pid != process.pid
    assert psutil.Process(pid).is_running()
    process.send_signal(number)
    assert process.wait(60) in (-number, 1)
    deadline = time.monotonic() + 60
    while psutil.pid_exists(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_the_server_does_not_serve_the_real_program_does(tmp_path):
    words = ["python", "-c", "import sys; print(sys.executable, sys.argv)", "a"]
    warm, real = (
        subprocess.run(words, env=environment(warm), cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for warm in (True, False)
    )
    assert warm == real


def test_dvc_answers(tmp_path):
    words = [programs() / "dvc", "init", "--no-scm"]
    subprocess.run(words, env=environment(), cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / ".dvc/config").is_file()
    failed = subprocess.run([*words[:1], "repro"], env=environment(), cwd=tmp_path, capture_output=True, text=True)
    assert failed.returncode == 255
    assert "dvc.yaml" in failed.stderr


def test_many_at_once(folder):
    running = [_start(folder, str(k)) for k in range(6)]
    assert [process.communicate("")[0].count("late") for process in running] == [1] * 6
    assert [process.returncode for process in running] == list(range(6))
    assert os.path.exists(programs() / "socket")
