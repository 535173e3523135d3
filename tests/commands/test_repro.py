"""``eeg repro`` runs what it can, alone in its clone, and ends at once when it is told to."""

import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.e2e.workspace import ROOT, environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

GRAPH = """stages:
  ingest:
    foreach: ${event_corpora}
    do:
      cmd: cp ${item.root}/file data/${key}
      deps: ["${item.root}"]
      outs: ["data/${key}"]
  pictures:
    foreach: ${image_corpora}
    do:
      cmd: cp ${item.root}/file pictures/${key}
      deps: ["${item.root}"]
      outs: ["pictures/${key}"]
  both:
    cmd: ${both}
    deps: [data, pictures]
    outs: [both]
"""
PARAMS = """event_corpora: {tuev: {root: raw/tuev, layout: tuev}}
image_corpora: {things: {root: raw/things, layout: things_eeg2_raw, epochs: demo}}
both: %s
"""


@pytest.fixture
def clone(tmp_path):
    """A function that makes a clone with the corpora of these names, whose last stage is a command of the shell."""
    variables = environment(warm=False) | {"PYTHONPATH": str(ROOT)}

    def make(*corpora: str, both: str = "touch both", git: bool = True) -> Path:
        (tmp_path / "dvc.yaml").write_text(GRAPH)
        (tmp_path / "params.yaml").write_text(PARAMS % both)
        for folder in ("data", "pictures"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / ".gitkeep").touch()
        for name in corpora:
            (tmp_path / "raw" / name).mkdir(parents=True)
            (tmp_path / "raw" / name / "file").write_text(name)
        if git:
            subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
            subprocess.run(["dvc", "init", "-q"], cwd=tmp_path, env=variables, check=True)
        else:
            subprocess.run(["dvc", "init", "-q", "--no-scm"], cwd=tmp_path, env=variables, check=True)
        return tmp_path

    return make


def start(folder: Path, *words: str, **variables: str) -> subprocess.Popen:
    settings = environment(warm=False) | {"PYTHONPATH": str(ROOT)} | variables
    command = [sys.executable, "-m", "eegdiffusion.commands", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # Who runs the tests in the background may have told all below to ignore interruptions.
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, cwd=folder, env=settings, start_new_session=True, preexec_fn=heeding, **pipes)


def run(folder: Path, *words: str, **variables: str) -> tuple[int, str]:
    process = start(folder, *words, **variables)
    out, err = process.communicate(timeout=120)
    return process.returncode, out + err


def wait_for(condition, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("options", [(), ("--jobs", "2")])
@pytest.mark.parametrize(("there", "made"), [("tuev", "data/tuev"), ("things", "pictures/things")])
def test_either_corpus_alone_is_run_and_what_is_left_out_is_named(clone, there, made, options):
    folder = clone(there)
    absent = {"tuev": "things", "things": "tuev"}[there]
    status, said = run(folder, "repro", *options)
    assert status == 0, said
    assert (folder / made).read_text() == there
    assert not (folder / "both").exists()
    assert f"raw/{absent}: no such folder: 2 of 3 stages are left out" in said


def test_with_both_corpora_all_is_run_and_with_neither_nothing_begins(clone):
    folder = clone("tuev", "things")
    status, said = run(folder, "repro")
    assert status == 0, said
    assert (folder / "both").exists()
    for name in ("tuev", "things"):
        (folder / "raw" / name).rename(folder / name)
    status, said = run(folder, "repro")
    assert status == 65
    assert said == (
        "repro: raw/things, raw/tuev: no such folder, and every stage needs it; `make demo` makes the demo's corpora, "
        "`eeg params corpora` puts your own into params.yaml\n"
    )


def test_a_folder_without_git_is_refused_in_one_line_that_says_how_to_go_on(clone):
    folder = clone("tuev", "things", git=False)
    (folder / ".dvc" / "config").write_text("")  # as in an archive of the project
    status, said = run(folder, "repro")
    assert status == 65
    assert said.count("\n") == 1
    assert "is no git repository" in said
    assert not (folder / "data" / "tuev").exists()
    command = said.rpartition("run without: `")[2].rstrip("`\n")
    subprocess.run(command.split(), cwd=folder, env=environment(warm=False), check=True)
    status, said = run(folder, "repro")
    assert status == 0, said
    assert (folder / "both").exists()


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("'2'", "must be a number (found the text '2')"),
        ("two", "Input should be a valid integer"),
        ("true", "must be a number (found True)"),
        ("0", "Input should be greater than or equal to 1"),
    ],
)
def test_a_value_of_another_type_is_refused_before_any_stage_runs(clone, value, rule):
    folder = clone("tuev", "things")
    with open(folder / "params.yaml", "a") as settings:  # as an editor or `dvc exp run -S` leaves it
        settings.write(f"hardware: {{accelerator: cpu, precision: 32-true, devices: {value}}}\n")
    status, said = run(folder, "repro")
    assert status == 65, said
    assert said.startswith(f"repro: params.yaml: hardware.devices: {rule}")
    assert not (folder / "data" / "tuev").exists()


@pytest.mark.parametrize("options", [(), ("--jobs", "2")])
@pytest.mark.parametrize("everyone", [True, False], ids=["as a terminal does", "one process alone"])
def test_an_interruption_ends_all_that_runs_with_status_130(clone, options, everyone):
    folder = clone("tuev", "things", both="touch running && sleep 600")
    process = start(folder, "repro", *options)
    wait_for((folder / "running").exists, process)
    below = psutil.Process(process.pid).children(recursive=True)
    assert below
    (os.killpg if everyone else os.kill)(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert said.splitlines()[-1] == "repro: interrupted"
    assert not psutil.wait_procs(below, timeout=10)[1]


def test_a_second_one_says_who_runs_and_waits(clone):
    folder = clone("tuev", "things", both="touch running && while ! test -e go; do sleep 0.1; done && touch both")
    first = start(folder, "repro")
    wait_for((folder / "running").exists, first)
    second = start(folder, "repro")
    line = second.stderr.readline()
    assert f"process {first.pid}, since 2" in line, line
    assert "waiting for its end" in line
    assert first.poll() is None
    (folder / "go").touch()
    assert first.wait(60) == 0, first.stderr.read()
    assert second.wait(60) == 0, second.stderr.read()


@pytest.mark.parametrize(
    ("words", "variables", "status", "said"),
    [
        (["mlflow"], {"MLFLOW_PORT": "abc"}, 2, "'abc' is not a valid integer"),
        (["mlflow"], {"MLFLOW_PORT": "99999"}, 2, "99999 is not in the range"),
        (["mlflow", "--port", "0"], {}, 2, "0 is not in the range"),
        (["serve", "lft", "--port", "70000"], {}, 2, "70000 is not in the range"),
        (["airflow"], {"AIRFLOW_PORT": "abc"}, 65, "AIRFLOW_PORT: must be a port"),
        (["airflow"], {"EEG_CPUS": "two"}, 65, "EEG_CPUS: must be a number of cores, 1 or more (found 'two')"),
        (["airflow", "standalone"], {"EEG_CPUS": "0"}, 65, "EEG_CPUS: must be a number of cores"),
    ],
)
def test_a_bad_port_is_said_at_once_and_starts_nothing(clone, words, variables, status, said):
    code, printed = run(clone(), *words, **variables)
    assert (code, said in printed, "Traceback" in printed) == (status, True, False), printed


@pytest.mark.parametrize(("words", "variable"), [(["mlflow"], "MLFLOW_PORT"), (["airflow"], "AIRFLOW_PORT")])
def test_a_busy_port_is_said_at_once_and_starts_nothing(clone, words, variable):
    folder = clone()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, printed = run(folder, *words, **{variable: port, "AIRFLOW_HOME": str(folder / "home")})
    assert code == 65, printed
    assert "is in use" in printed
    assert printed.count("\n") == 1
    assert not (folder / "home").exists()
