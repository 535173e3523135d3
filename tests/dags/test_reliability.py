"""What is killed or broken, and that nothing is lost by it: real stages on small EDF files, DVC and git."""

import hashlib
import os
import resource
import signal
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow
import numpy as np
import psutil
import pytest
import yaml
from safetensors.torch import load_file

from eegdiffusion.operations.orchestration import finalize
from tests.dags.airflow_home import RESOURCES, ROOT, Airflow, git, stub
from tests.e2e.workspace import TINY, command, environment, module
from tests.tuev_fixture import EVENTS, write_corpus, write_edf, write_rec

EEG_STAGES = ("ingest_events", "preprocess_events", "pretrain_ssmdp")
LONG = Path("train/aaaaaaaz/aaaaaaaz_00000000.edf")


def stage(path: Path, name: str, warm: bool = True, **options) -> subprocess.Popen:
    """Start a stage as the process runtime does; not warm where it gets limits, or is known by its command line."""
    words = ["python", "-m", "eegdiffusion.operations.orchestration.run_stage", name]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "stdin": subprocess.DEVNULL}
    return subprocess.Popen(words, cwd=path, env=environment(warm), start_new_session=True, **pipes | options)


def finish(process: subprocess.Popen) -> str:
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed[-6000:]
    return printed


def wait_until(condition, process: subprocess.Popen):
    """Wait until a condition is true, and return its value; the process has to run meanwhile."""
    deadline = time.monotonic() + 300
    while not (found := condition()):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def eeg(tmp_path_factory):
    """A repository with the first stages of the graph, and a workspace of a run in it."""
    root = tmp_path_factory.mktemp("eeg")
    corpus = write_corpus(root / "edf")
    write_edf(corpus / LONG, seconds=60, seed=77)
    write_rec((corpus / LONG).with_suffix(".rec"), EVENTS)
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    graph = yaml.safe_dump({"stages": {name: stages[name] for name in EEG_STAGES}})
    repository = stub(root / "repository", graph, (ROOT / "params.yaml").read_text())
    more = ["pretrain_ssmdp.optimisation.max_epochs=3", f"event_corpora.tuev.root={corpus}"]
    module(repository, "params", "set", *TINY, *more)
    git(repository, "commit", "-qam", "small")
    words = ["--repository", ".", "--workspace", "runs/r1", "--run", "r1"]
    command(repository, "python", "-m", "eegdiffusion.operations.orchestration.open_run", *words)
    finish(stage(repository / "runs" / "r1", "ingest_events@tuev"))
    return repository / "runs" / "r1"


@pytest.mark.ordered
def test_a_full_disk_costs_the_recording_that_was_being_written(eeg):
    """Broken: no file can grow beyond 300 kB while recordings are written. Lost: nothing that was finished."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))

    process = stage(eeg, "preprocess_events@tuev", warm=False, preexec_fn=limit)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode not in (0, 65), "another try can help"
    assert "File too large" in printed, printed[-6000:]
    assert not (eeg / "data" / "events" / "tuev" / "store").exists()
    left = [path for path in (eeg / ".work" / "preprocess_events").rglob("*") if path.is_file()]
    assert left, "half a recording takes no space on the full disk"
    assert {path.suffix for path in left} == {".arrow"}, "half a recording takes no space on the full disk"
    times = {path.stat().st_mtime_ns for path in left}

    finish(stage(eeg, "preprocess_events@tuev"))
    done = list((eeg / "data" / "events" / "tuev" / "store" / "recordings").glob("*.arrow"))
    assert len(done) == 9
    assert times < {path.stat().st_mtime_ns for path in done}, "what was there was not made again"


def training(workspace: Path) -> list[psutil.Process]:
    """The processes that train in a workspace."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if words[1:3] == ["-m", "components.pretrain_ssmdp"] and process.cwd() == str(workspace):
            found.append(process)
    return found


@pytest.mark.ordered
def test_a_killed_worker_leaves_its_training_and_a_killed_training_goes_on(eeg):
    """Killed: the worker, then the training itself. Lost: at most the round since the last checkpoint."""
    worker = stage(eeg, "pretrain_ssmdp@base", warm=False)
    wait_until(lambda: list((eeg / ".work" / "pretrain_ssmdp").rglob("last.safetensors")), worker)
    (trains,) = training(eeg)
    trains.suspend()
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    assert [process.pid for process in training(eeg)] == [trains.pid], "the stage outlives its worker"

    retry = stage(eeg, "pretrain_ssmdp@base", warm=False)
    assert retry.stdout.readline() == "pretrain_ssmdp@base: an earlier process still runs it; waiting\n"
    assert [process.pid for process in training(eeg)] == [trains.pid], "nothing is trained twice"
    trains.kill()
    printed = finish(retry)
    mlflow.set_tracking_uri(f"sqlite:///{eeg}/mlruns/mlflow.db")
    runs = mlflow.search_runs(experiment_names=["pretrain_ssmdp"])
    assert list(runs["tags.resumed"]) == ["True"], printed[-3000:]
    assert list(runs["status"]) == ["FINISHED"], printed[-3000:]

    # A run that nothing disturbs ends with the same weights.
    resumed = load_file(eeg / "models/ssmdp/base/backbone/diffusion_pytorch_model.safetensors")
    module(eeg, "pretrain_ssmdp", "--backbone", "base")
    whole = load_file(eeg / "models/ssmdp/base/backbone/diffusion_pytorch_model.safetensors")
    assert sorted(mlflow.search_runs(experiment_names=["pretrain_ssmdp"])["tags.resumed"]) == ["False", "True"]
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        assert np.array_equal(value.numpy(), resumed[name].numpy()), name


STAGES = f"""stages:
  one:
    cmd: mkdir -p data && seq 300000 > data/one
    outs: [data/one]
    {RESOURCES}
  two:
    cmd: cat data/one data/one params.yaml > data/two
    deps: [data/one]
    params: [own]
    outs: [data/two]
    {RESOURCES}
"""


def work(repository: Path, name: str, own: int = 0) -> Path:
    words = ["--repository", ".", "--workspace", f"runs/{name}", "--run", name, f'--overrides={{"own": {own}}}']
    command(repository, "python", "-m", "eegdiffusion.operations.orchestration.open_run", *words)
    for one in ("one", "two"):
        finish(stage(repository / "runs" / name, one))
    return repository / "runs" / name


def stored(folder: Path) -> list[Path]:
    """The files of a DVC storage, each checked against the hash that is its name."""
    files = [path for path in (folder / "files" / "md5").glob("??/*") if path.is_file()]
    for path in files:
        assert hashlib.md5(path.read_bytes()).hexdigest() == path.parent.name + path.name.removesuffix(".dir"), path
    return files


def test_two_runs_at_once_do_not_disturb_each_other(tmp_path):
    """Broken: two runs work, push and record at the same time. Lost: nothing, each has its own results."""
    repository = stub(tmp_path / "repository", STAGES, "own: 0\n")

    def whole_run(own: int) -> Path:
        path = work(repository, f"r{own}", own)
        command(path, "python", "-m", "eegdiffusion.operations.orchestration.finalize")
        return path

    with ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(whole_run, (1, 2)))
    for own, path in enumerate(paths, start=1):
        assert (path / "data" / "two").read_text().endswith(f"own: {own}\n")
        lock = yaml.safe_load(git(repository, "show", f"retrain/r{own}:dvc.lock"))["stages"]
        assert lock["two"]["params"] == {"params.yaml": {"own": own}}
        assert command(path, "dvc", "status", "--cloud").stdout.strip().endswith("in sync.")
    assert len(stored(repository / ".dvc" / "cache")) == len(stored(tmp_path / "dvc-storage")) == 3


def test_a_remote_that_cannot_be_reached_fails_finalize_and_nothing_else(tmp_path, monkeypatch, capsys):
    """Broken: DVC's remote, beyond all attempts. Lost: nothing; finalizing again, once it is back, finishes the run."""
    repository = stub(tmp_path / "repository", STAGES, "own: 0\n")
    path = work(repository, "r1", 1)
    (tmp_path / "dvc-storage").write_text("not a folder")
    monkeypatch.setattr(time, "sleep", lambda _: None)  # between its attempts
    monkeypatch.setattr(os, "environ", environment())
    with pytest.raises(RuntimeError, match=r"(?s)dvc --wait-for-lock push: exit status .*Not a directory.*dvc-storage"):
        finalize.finalize_run(path)
    assert capsys.readouterr().out.count("Again in") == 3
    assert not git(repository, "branch", "--list", "retrain/*"), "no branch promises data that are not there"
    (tmp_path / "dvc-storage").unlink()
    assert command(path, "python", "-m", "eegdiffusion.operations.orchestration.finalize").stdout.endswith(
        "retrain/r1\n"
    )
    assert command(path, "dvc", "status", "--cloud").stdout.strip().endswith("in sync.")
    assert len(stored(tmp_path / "dvc-storage")) == 2


def test_a_corrupt_recording_is_announced_to_nobody_until_it_is_gone(airflow_home, tmp_path):
    """Broken: one of two recordings that arrive. Lost: nothing; the valid one is announced once the other is gone."""
    corpus = write_corpus(tmp_path / "edf", train=3, test=1)
    repository = stub(tmp_path / "repository", "stages: {}\n", (ROOT / "params.yaml").read_text())
    module(repository, "params", "set", f"event_corpora.tuev.root={corpus}")
    airflow = Airflow(airflow_home, repository)

    def ingest() -> tuple[dict, int]:
        found = airflow.dag("eeg_ingest", EEG_SETTLE_SECONDS="0.01")
        with sqlite3.connect(airflow_home / "airflow.db") as database:
            return found, database.execute("select count(*) from asset_event").fetchone()[0]

    found, before = ingest()
    assert found["tasks"] == {"check_corpus": "success", "confirm": "success"}, found["log"][-6000:]

    for letter in "yz":
        path = corpus / "train" / f"aaaaaaa{letter}" / f"aaaaaaa{letter}_00000000.edf"
        write_edf(path, seed=ord(letter))
        write_rec(path.with_suffix(".rec"), EVENTS)
    path.write_bytes(path.read_bytes()[:5000])
    found, events = ingest()
    assert found["tasks"] == {"check_corpus": "failed", "confirm": "upstream_failed"}
    assert events == before
    assert "aaaaaaaz_00000000.edf" in found["log"]
    assert "1 of 7 recordings are unusable" in found["log"]
    assert found["tries"]["check_corpus"] == 1
    told = {line.partition("NOTIFY ")[2] for line in found["log"].splitlines() if "NOTIFY" in line}
    assert len([message for message in told if "check_corpus failed" in message]) == 1, told

    path.unlink()
    path.with_suffix(".rec").unlink()
    found, events = ingest()
    assert found["state"] == "success", found["log"][-6000:]
    assert events == before + 1, found["log"][-6000:]
    assert "2 files are new" in found["log"]
