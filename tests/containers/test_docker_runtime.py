"""Airflow's DAGs in the ``docker`` runtime: real containers of images built from ``docker/Dockerfile``."""

import importlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas
import pytest
import yaml
from _settings import Settings

from tests.containers.engine import IMAGES
from tests.dags.airflow_home import RESOURCES, Airflow, git, migrate, start, stub
from tests.e2e.workspace import command, make, module

pytestmark = pytest.mark.timeout(2400)


def settings(engine, repository) -> dict[str, str]:
    return {
        "DOCKER_HOST": engine.host,
        "EEG_RUNTIME": "docker",
        "EEG_IMAGE": IMAGES,
        "EEG_DOCKER_NETWORK": "host",
        "EEG_MOUNTS": str(repository.parent / "dvc-storage"),
    }


def container_of(run: str) -> str:
    """What the names of a run's containers hold."""
    return re.sub(r"[^a-zA-Z0-9_.-]+", "-", run)


def containers(engine, name: str) -> list:
    return [found for found in engine.client.containers.list(all=True) if name in found.name]


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    root = tmp_path_factory.mktemp("docker")
    (root / "migrated").mkdir()
    migrate(root / "migrated")
    return start(root / "home", root / "none", root / "migrated")


def test_ingestion_and_preprocessing_run_in_containers(engine, image, ready, tmp_path):
    image("data")
    repository = make(tmp_path / "repository")
    graph = yaml.safe_load((repository / "dvc.yaml").read_text())
    graph["stages"] = {name: graph["stages"][name] for name in ("ingest_events", "preprocess_events")}
    (repository / "dvc.yaml").write_text(yaml.safe_dump({"stages": graph["stages"]}))
    git(repository, "commit", "-qam", "Keep the data stages")
    (tmp_path / "dvc-storage").mkdir()

    airflow = Airflow(ready.home, repository)
    found = airflow.dag("eeg_retrain", **settings(engine, repository))
    names = ("open_run", "ingest_events.tuev", "preprocess_events.tuev", "finalize")
    states = {name: found["tasks"][name] for name in names}
    assert set(states.values()) == {"success"}, found["log"][-8000:]
    assert "Starting docker container" in found["log"], "the tasks were containers"

    workspace = airflow.workspace()
    table = pandas.read_parquet(workspace / "data" / "events" / "tuev" / "index" / "recordings.parquet")
    assert len(table)
    assert list((workspace / "data" / "events" / "tuev" / "store").glob("*"))
    assert (workspace / "data" / "events" / "tuev" / "index").stat().st_uid == os.getuid(), "files are the caller's"
    recorded = yaml.safe_load((workspace / "dvc.lock").read_text())["stages"]

    assert not git(repository, "branch", "--list", "retrain/*"), "a task only reads the repository"
    command(repository, "git", "fetch", "--quiet", "runs/.branches.git", "refs/heads/retrain/*:refs/heads/retrain/*")
    (branch,) = git(repository, "branch", "--list", "retrain/*").split()
    assert yaml.safe_load(git(repository, "show", f"{branch}:dvc.lock"))["stages"] == recorded

    command(repository, "dvc", "repro", "--force")
    here = yaml.safe_load((repository / "dvc.lock").read_text())["stages"]
    name = "ingest_events@tuev"
    assert here[name]["outs"] == recorded[name]["outs"], "the container made the very same files"
    assert not containers(engine, container_of(found["run_id"])), "no container is left"


TINY = (
    "pretrain_ssmdp.optimisation.max_epochs=1",
    "pretrain_ssmdp.generation.sampler=ddim",
    "pretrain_ssmdp.generation.ddim_steps=2",
)


@pytest.mark.parametrize("accelerator", ["auto", "gpu"])
def test_a_stage_trains_in_a_container_on_a_host_without_gpus(engine, image, ready, tmp_path, accelerator):
    """To the end on the CPU where the settings let it; refused at once, by name, where they say gpu."""
    for target in ("data", "train"):
        image(target)
    repository = make(tmp_path / "repository")
    module(repository, "params", "set", *TINY, f"hardware.accelerator={accelerator}")
    graph = yaml.safe_load((repository / "dvc.yaml").read_text())
    kept = ("ingest_events", "preprocess_events", "pretrain_ssmdp")
    graph["stages"] = {name: graph["stages"][name] for name in kept}
    (repository / "dvc.yaml").write_text(yaml.safe_dump({"stages": graph["stages"]}))
    (repository / "mlflow" / "registry.yaml").write_text("{}\n")
    git(repository, "commit", "-qam", "Keep the stages up to pretraining")
    (tmp_path / "dvc-storage").mkdir()
    command(repository, "dvc", "repro", "preprocess_events")  # the run finds it in the cache

    airflow = Airflow(ready.home, repository)
    dates = {"auto": "2026-03-01T00:00:00+00:00", "gpu": "2026-03-02T00:00:00+00:00"}
    outcome = airflow.dag("eeg_retrain", date=dates[accelerator], **settings(engine, repository), EEG_GPUS="")
    log, state = outcome["log"], outcome["tasks"]["pretrain_ssmdp.base"]
    if accelerator == "gpu":
        assert state == "failed", log[-8000:]
        assert outcome["tries"]["pretrain_ssmdp.base"] == 1
        assert "pretrain_ssmdp: params.yaml: hardware.accelerator: is gpu, and PyTorch finds no GPU here" in log
        return
    assert (state, outcome["state"]) == ("success", "success"), log[-8000:]
    result = airflow.workspace() / "models" / "ssmdp" / "base"
    assert (result / "metrics.json").is_file()
    assert list((result / "backbone").glob("*.safetensors"))
    assert not containers(engine, container_of(outcome["run_id"]))


BAD = f"""stages:
  slow:
    cmd: exit 65
    outs: [data/slow]
    {RESOURCES}
"""


def small(path, stages: str):
    """A repository whose one stage runs in the image ``data``, and the folders that are mounted."""
    repository = stub(path / "repository", stages, "{}\n")
    (repository / "components" / "slow").mkdir()
    (repository / "components" / "slow" / "component.yaml").write_text("image: data\n")
    (path / "dvc-storage").mkdir()
    return repository


def test_a_killed_worker_leaves_one_container_which_the_next_try_adopts(engine, image, tmp_path):
    """What is killed: the worker, with SIGKILL, while its container works. What is lost: nothing."""
    image("data")
    run = f"kill-{tmp_path.parent.name}"
    shell = "echo started >> ran.log; while ! test -e go; do sleep 0.2; done; echo done >> ran.log; echo the end"
    script = str(Path(__file__).with_name("run_container.py"))
    words = [sys.executable, script, IMAGES, str(tmp_path), run, "sh", "-c", shell]
    variables = os.environ | {"DOCKER_HOST": engine.host, "AIRFLOW_HOME": str(tmp_path / "home")}

    def worker() -> subprocess.Popen:
        return subprocess.Popen(
            words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )

    first = worker()
    while not (tmp_path / "ran.log").exists():
        assert first.poll() is None, first.stdout.read()[-4000:]
        time.sleep(0.2)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    (left,) = containers(engine, run)
    assert left.status == "running", "the work goes on"

    second, said = worker(), ""
    for line in second.stdout:
        said += line
        if "Adopting container" in line:
            (tmp_path / "go").touch()
    assert second.wait() == 0, said[-4000:]
    assert "the end" in said.partition("Adopting container")[2], said[-4000:]
    assert (tmp_path / "ran.log").read_text() == "started\ndone\n", "it was done once"
    assert not containers(engine, run)


def test_a_container_of_another_installation_is_neither_adopted_nor_removed(engine, image, tmp_path):
    image("data")
    run = f"foreign-{tmp_path.parent.name}"
    name = importlib.import_module("_docker").container_name(
        Settings(repository=str(tmp_path / "repository")).installation, run, "slow"
    )
    foreign = engine.client.containers.run(
        f"{IMAGES}-data", ["sleep", "600"], name=name, labels={"eeg.installation": "another"}, detach=True
    )
    script = str(Path(__file__).with_name("run_container.py"))
    words = [sys.executable, script, IMAGES, str(tmp_path), run, "true"]
    variables = os.environ | {"DOCKER_HOST": engine.host, "AIRFLOW_HOME": str(tmp_path / "home")}
    try:
        done = subprocess.run(words, env=variables, capture_output=True, text=True)
        assert done.returncode != 0
        assert f"the container {name} is not of this run and installation" in done.stdout + done.stderr
        foreign.reload()
        assert foreign.status == "running"
    finally:
        foreign.remove(force=True)


def test_bad_input_in_a_container_fails_at_once(engine, image, ready, tmp_path):
    image("data")
    repository = small(tmp_path, BAD)
    airflow = Airflow(ready.home, repository)
    found = airflow.dag("eeg_retrain", date="2026-02-02T00:00:00+00:00", **settings(engine, repository))
    assert found["tasks"]["slow"] == "failed", found["log"][-6000:]
    assert found["tries"]["slow"] == 1, found["log"][-6000:]
    assert found["tasks"]["finalize"] == "upstream_failed"
