"""What a run does when something goes wrong: real Airflow and DVC on a graph of shell commands."""

import json
import subprocess

import pytest

from tests.dags.airflow_home import RESOURCES, Airflow, git, stub
from tests.e2e.workspace import command

STAGES = f"""stages:
  one:
    cmd: mkdir -p data && cp data/raw/in.txt data/one && echo one >> "$EEG_RUNS/ran.log"
    deps: [data/raw/in.txt]
    outs: [data/one]
    {RESOURCES}
  two:
    matrix:
      seed: ${{seeds}}
    cmd: echo two-${{item.seed}} >> "$EEG_RUNS/ran.log" && test ! -e "$EEG_RUNS/break" &&
      cat data/one params.yaml > data/two-${{item.seed}} && exit ${{status}}
    deps: [data/one]
    params: [status]
    outs:
      - data/two-${{item.seed}}
    {RESOURCES}
"""


@pytest.fixture
def airflow(airflow_home, tmp_path):
    repository = stub(tmp_path / "repository", STAGES, "seeds: [0, 1]\nstatus: 0\n")
    (repository / "data" / "raw").mkdir(parents=True)
    (repository / "data" / "raw" / "in.txt").write_text("signals")
    (repository / "runs").mkdir()
    return Airflow(airflow_home, repository)


def ran(airflow):
    return sorted((airflow.repository / "runs" / "ran.log").read_text().split())


def open_run(airflow, name, *more, check=True):
    words = ["python", "-m", "eegdiffusion.operations.orchestration.open_run", "--repository", "."]
    return command(airflow.repository, *words, "--workspace", f"runs/{name}", "--run", name, *more, check=check)


def repro(airflow, name, stage):
    words = [
        "env",
        f"EEG_RUNS={airflow.repository}/runs",
        "python",
        "-m",
        "eegdiffusion.operations.orchestration.run_stage",
        stage,
    ]
    return command(airflow.repository / "runs" / name, *words, check=False)


def workspace(airflow):
    (path,) = [path for path in (airflow.repository / "runs").iterdir() if path.is_dir() and path.name[0] != "."]
    return path


def test_bad_configuration_fails_at_once_and_keeps_the_workspace(airflow):
    found = airflow.dag("eeg_retrain", {"overrides": {"status": 65}})
    assert found["state"] == "failed"
    assert {found["tasks"][f"two.{seed}"] for seed in (0, 1)} == {"failed"}, found["log"][-6000:]
    assert found["tries"]["two.0"] == found["tries"]["two.1"] == 1, "bad input is not retried"
    assert found["tasks"]["finalize"] == "upstream_failed"
    assert "NOTIFY" in found["log"]
    assert (workspace(airflow) / "data" / "one").read_text() == "signals"
    assert not git(airflow.repository, "branch", "--list", "retrain/*")


def test_other_failures_are_retried(airflow):
    (airflow.repository / "runs" / "break").touch()
    found = airflow.dag("eeg_retrain", date="2026-01-02T00:00:00+00:00")
    assert found["tasks"]["two.0"] == "failed", found["log"][-6000:]
    assert found["tries"]["two.0"] == 3, found["log"][-6000:]
    assert ran(airflow) == ["one"] + 3 * ["two-0"] + 3 * ["two-1"]


def test_a_cleared_task_resumes_and_finished_stages_are_skipped(airflow):
    open_run(airflow, "r1", "--overrides", '{"status": 65}', "--stages", "one", "two@0", "two@1")
    assert repro(airflow, "r1", "one").returncode == 0
    assert repro(airflow, "r1", "two@0").returncode == 65
    assert "resumed" in open_run(airflow, "r1").stdout
    params = airflow.repository / "runs" / "r1" / "params.yaml"
    assert "status: 65" in params.read_text(), "what the run has made of its workspace stays"
    params.write_text(params.read_text().replace("65", "0"))
    assert repro(airflow, "r1", "one").returncode == repro(airflow, "r1", "two@0").returncode == 0
    assert ran(airflow) == ["one", "two-0", "two-0"]


def test_two_runs_share_the_cache_and_nothing_else(airflow):
    for name in ("r1", "r2"):
        open_run(airflow, name)
        for stage in ("one", "two@0", "two@1"):
            assert repro(airflow, name, stage).returncode == 0
        command(airflow.repository / "runs" / name, "python", "-m", "eegdiffusion.operations.orchestration.finalize")
    assert ran(airflow) == ["one", "two-0", "two-1"], "the second run found all in the cache"
    branches = git(airflow.repository, "branch", "--list", "--format=%(refname:short)", "retrain/*").split()
    assert branches == ["retrain/r1", "retrain/r2"]


def test_a_run_finds_what_the_repository_has_cached(airflow):
    command(airflow.repository, "env", f"EEG_RUNS={airflow.repository}/runs", "dvc", "repro", "one")
    open_run(airflow, "r1")
    assert repro(airflow, "r1", "one").returncode == 0
    assert ran(airflow) == ["one"]
    assert (workspace(airflow) / "data" / "one").read_text() == "signals"


def test_one_stage_runs_once_however_often_it_is_started(airflow):
    open_run(airflow, "r1")
    words = ["python", "-m", "eegdiffusion.operations.orchestration.run_stage", "one"]
    path = airflow.repository / "runs" / "r1"
    environment = airflow.environment | {"EEG_RUNS": str(airflow.repository / "runs"), "PYTHONPATH": ""}
    started = [subprocess.Popen(words, cwd=path, env=environment) for _ in range(3)]
    assert [process.wait() for process in started] == [0, 0, 0]
    assert ran(airflow) == ["one"]


def test_finalizing_refuses_a_run_that_is_not_done(airflow):
    open_run(airflow, "r1")
    done = command(
        airflow.repository / "runs" / "r1",
        "python",
        "-m",
        "eegdiffusion.operations.orchestration.finalize",
        check=False,
    )
    assert done.returncode == 1
    assert "out of date" in done.stderr
    assert not git(airflow.repository, "branch", "--list", "retrain/*")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--overrides", '{"nothing": 1}'], "overrides: "),
        (["--revision", "nowhere"], "revision: 'nowhere' is not in"),
        (["--overrides", '{"seeds": [0]}', "--stages", "one", "two@0", "two@1"], "not those of the DAG (two@1)"),
    ],
)
def test_what_a_run_cannot_be_opened_with_is_named(airflow, more, message):
    done = open_run(airflow, "r1", *more, check=False)
    assert done.returncode == 65, done.stderr
    assert message in done.stderr, done.stderr
    assert not (airflow.repository / "runs" / "r1").exists()


def test_a_workspace_belongs_to_one_run(airflow):
    open_run(airflow, "r1")
    path = airflow.repository / "runs" / "r1" / ".git" / "eeg-run.json"
    path.write_text(json.dumps({"run": "another"}))
    done = open_run(airflow, "r1", check=False)
    assert done.returncode == 65
    assert "is the workspace of the run another" in done.stderr


def test_a_revision_brings_its_own_settings(airflow):
    first = git(airflow.repository, "rev-parse", "HEAD").strip()
    (airflow.repository / "params.yaml").write_text("seeds: [0, 1]\nstatus: 7\n")
    open_run(airflow, "pinned", "--revision", first)
    open_run(airflow, "latest")
    runs = airflow.repository / "runs"
    assert "status: 0" in (runs / "pinned" / "params.yaml").read_text()
    assert "status: 7" in (runs / "latest" / "params.yaml").read_text()
    assert not git(runs / "latest", "status", "--porcelain")
