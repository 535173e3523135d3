"""Stages side by side: the real DVC on a small graph."""

import itertools
import subprocess

import pytest
import yaml
from dvc.repo import Repo

from eegdiffusion.commands.side_by_side import chosen, gpus_of_stages, read_graph
from tests.e2e.workspace import ROOT, environment

pytestmark = pytest.mark.service

STAGES = """stages:
  first: {cmd: "date +%s.%N >> log && echo 1 > first.txt", outs: [first.txt]}
  sides:
    foreach: [a, b]
    do:
      cmd: date +%s.%N > begun-${item} && sleep 2 && cp first.txt ${item}.txt && date +%s.%N > ended-${item}
      deps: [first.txt]
      outs: ["${item}.txt"]
  short: {cmd: "echo x > short.txt", outs: [short.txt]}
  last: {cmd: "cat a.txt b.txt > last.txt", deps: [a.txt, b.txt], outs: [last.txt]}
"""


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "dvc.yaml").write_text(STAGES)
    Repo.init(str(tmp_path), no_scm=True).close()
    return tmp_path


def start(folder, *words, **more):
    command = ["python", "-m", "eegdiffusion.commands", "repro", "--jobs", "2", *words]
    variables = environment() | {"PYTHONPATH": str(ROOT)} | more
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)


def test_stages_run_side_by_side_in_the_graphs_order_and_are_not_run_again(repository):
    done = start(repository)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (repository / "last.txt").read_text() == "1\n1\n"
    times = {name: float((repository / name).read_text()) for name in ("begun-a", "begun-b", "ended-a", "ended-b")}
    assert max(times["begun-a"], times["begun-b"]) < min(times["ended-a"], times["ended-b"])
    with Repo(str(repository)) as repo:
        assert repo.status() == {}
    assert start(repository).returncode == 0
    assert len((repository / "log").read_text().splitlines()) == 1


def test_what_is_left_out_takes_what_follows_with_it(repository):
    done = start(repository, "--without", "sides")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (repository / "short.txt").exists()
    assert (repository / "first.txt").exists()
    assert not (repository / "a.txt").exists()
    assert not (repository / "last.txt").exists()


def test_one_stage_at_a_time_is_dvc_without_its_advice(repository):
    done = start(repository, "--jobs", "1", "short")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Running stage 'short'" in done.stdout
    assert not any(advice in done.stdout + done.stderr for advice in ("git add", "autostage", "dvc push"))
    (repository / "dvc.yaml").write_text(STAGES.replace("echo x > short.txt", "exit 3"))
    failed = start(repository, "--jobs", "1", "short")
    assert failed.returncode == 255
    assert "failed to run: exit 3, exited with 3" in failed.stderr


@pytest.mark.parametrize("words", [["--jobs", "1", "short"], ["short"]])
def test_stages_run_in_a_shell_that_knows_their_words_whatever_the_users_is(repository, monkeypatch, words):
    monkeypatch.setenv("SHELL", "/bin/false")
    done = start(repository, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (repository / "short.txt").exists()


def test_what_wants_nothing_beside_it_runs_last_and_is_told_as_the_others_are(repository):
    done = start(repository, "--alone", "sides")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (repository / "last.txt").read_text() == "1\n1\n"
    times = {name: float((repository / name).read_text()) for name in ("begun-a", "begun-b", "ended-a", "ended-b")}
    assert max(times["begun-a"], times["begun-b"]) > min(times["ended-a"], times["ended-b"])
    first, *lines = done.stdout.splitlines()
    assert first == "5 stages, 2 at a time; what each prints is in .work/stages"
    assert len(lines) == 10
    assert lines[-1].split()[1:] == ["5", "of", "5", "last", "has", "taken", lines[-1].split()[-2], "s"]
    logs = "".join(path.read_text() for path in (repository / ".work/stages").iterdir())
    assert "Running stage" in logs
    assert not any(advice in logs + done.stdout + done.stderr for advice in ("git add", "autostage", "dvc push"))


def test_a_stage_that_fails_shows_what_it_said_and_stops_what_follows(repository):
    text = STAGES.replace("echo x > short.txt", "echo the disk is full; exit 3").replace("sleep 2", "false")
    (repository / "dvc.yaml").write_text(text)
    done = start(repository)
    assert done.returncode != 0
    assert "failed to run" in done.stderr
    assert not (repository / "last.txt").exists()


def test_long_ways_come_first():
    names = chosen(read_graph(ROOT), {"reconstruct_sgdm", "report"})
    assert not {"reconstruct_sgdm@things", "report"} & set(names)
    order = ["train_eeg_encoder@aligned", "prepare_generator@things", "train_eeg_encoder@lstm"]
    assert [name for name in names if name in order] == order


@pytest.mark.parametrize("words", [("--without", "shirt"), ("--jobs", "1", "shirt"), ("--alone", "shirt@a")])
def test_an_unknown_stage_is_refused(repository, words):
    done = start(repository, *words)
    assert done.returncode == 65
    assert "dvc.yaml: there is no stage shirt; did you mean 'short'?" in done.stderr


def test_no_jobs_are_refused(repository):
    done = start(repository, "--jobs", "0")
    assert done.returncode == 2
    assert "'--jobs': 0 is not in the range x>=1" in done.stderr


STAGE = """
import sys, time
from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.runtime.contract import Contract, validate
from eegdiffusion.core.runtime import contract
from eegdiffusion.core.runtime.stage import stage
import os

@settings
class Machine:
    accelerator: str
    devices: int = 1
    precision: str

def main(run):
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    machine = run.settings(Machine, "hardware")
    begun = time.time()
    time.sleep(0.7)
    run.output("span").write_text(f"{begun} {time.time()} {os.environ.get('CUDA_VISIBLE_DEVICES', '')}")

contract.read = lambda name: validate({
    "name": name, "description": "d", "image": "train", "command": [], "params": [],
    "arguments": [{"name": "key", "type": "String", "description": "k"}],
    "outputs": [{"name": "span", "path": name + "-{key}.txt", "description": "d"}]}, Contract, "c")
stage(sys.argv[1])(main)(["--key", sys.argv[2]])
"""
META = "meta: {airflow: {gpus: 1, cpus: 1, memory_gb: 1, shm_gb: 1, retries: 1, timeout_min: 5}}"
SEEDS = f"""stages:
  fit:
    foreach: [a, b, c, d, e]
    do: {{cmd: "python stage.py fit ${{item}}", params: [hardware.precision], outs: ["fit-${{item}}.txt"], {META}}}
  wide:
    foreach: [x]
    do: {{cmd: "python stage.py wide ${{item}}", params: [hardware.precision], outs: ["wide-${{item}}.txt"], {META}}}
  onlycpu:
    foreach: [y]
    do: {{cmd: "python stage.py onlycpu ${{item}}", outs: ["onlycpu-${{item}}.txt"], {META}}}
"""
HARDWARE = {
    "accelerator": "auto",
    "stages": {"wide": {"devices": 2}, "onlycpu": {"accelerator": "cpu"}},
}

READS_HARDWARE = """from eegdiffusion.core.training.settings import Hardware

run.settings(Hardware, "hardware")
"""


@pytest.fixture
def seeds(repository):
    """A repository of stages that may run on a GPU."""
    (repository / "dvc.yaml").write_text(SEEDS)
    (repository / "stage.py").write_text(STAGE)
    (repository / "params.yaml").write_text(yaml.safe_dump({"hardware": HARDWARE | {"precision": "32-true"}}))
    for stage in ("fit", "wide", "onlycpu"):
        (repository / "components" / stage).mkdir(parents=True)
        (repository / "components" / stage / "__main__.py").write_text(READS_HARDWARE)
        (repository / "components" / stage / "component.yaml").write_text("")
    return repository


def test_seeds_fill_the_gpus_and_no_stage_sees_another_ones(seeds):
    """Real stages, whose GPUs are pretended."""
    assert gpus_of_stages(seeds) == {"fit": 1, "wide": 2}
    done = start(seeds, "--jobs", "4", EEG_GPUS="0,1")
    logs = "".join(path.read_text() for path in (seeds / ".work/stages").iterdir())
    assert done.returncode == 0, done.stdout + done.stderr + logs
    assert done.stdout.startswith("7 stages, 4 at a time on the GPUs 0, 1; what each prints is in")
    spans = {path.stem: path.read_text().split() for path in seeds.glob("*-?.txt")}
    assert len(spans) == 7
    assert spans.pop("onlycpu-y")[2:] == [], "what runs on the CPU takes none"
    assert spans["wide-x"][2] == "0,1"
    for gpu in "01":
        own = sorted((float(begun), float(ended)) for begun, ended, ids in spans.values() if gpu in ids.split(","))
        assert len(own) > 1, "seeds use both, and not only the stage that wants two"
        assert all(first[1] <= second[0] for first, second in itertools.pairwise(own))
    assert "waits for" not in logs, "a stage is begun when its GPUs are free, so that others have the places"


def test_a_stage_that_wants_more_gpus_than_there_are_says_so(seeds):
    done = start(seeds, "--jobs", "3", "wide", EEG_GPUS="7")
    assert done.returncode == 1
    assert "wide: params.yaml: hardware.devices: 2 GPUs were asked for, and the list has 1: 7" in done.stderr


def test_hardware_of_a_stage_that_there_is_not_is_refused(seeds):
    text = (seeds / "params.yaml").read_text()
    (seeds / "params.yaml").write_text(text.replace("wide:", "wyde:"))
    done = start(seeds, "--jobs", "2")
    assert done.returncode == 65
    assert "params.yaml: hardware.stages.wyde: there is no such stage; did you mean 'wide'?" in done.stderr
