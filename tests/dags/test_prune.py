"""Old workspaces: those of finalized runs go, what a failed run left stays."""

import os
import time

import pytest

from eegdiffusion.operations.orchestration.prune import prune
from tests.dags.airflow_home import git, stub
from tests.e2e.workspace import command

STAGES = """stages:
  one:
    cmd: mkdir -p data && echo ${status} > data/one && exit ${status}
    params: [status]
    outs: [data/one]
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    path = stub(tmp_path_factory.mktemp("prune") / "repository", STAGES, "status: 0\n")
    for number, name in enumerate(("oldest", "failed", "older", "newer")):
        _open(path, name, {"failed": 1}.get(name, 0))
        run(path / "runs" / name, "run_stage", "one", check=name != "failed")
        if name != "failed":
            run(path / "runs" / name, "finalize")
        os.utime(path / "runs" / name / ".git" / "HEAD", times=(time.time() - 86400 * (9 - number),) * 2)
    return path


def run(path, name, *words, check=True):
    return command(path, "python", "-m", f"eegdiffusion.operations.orchestration.{name}", *words, check=check)


def _open(path, name, status=0, **environment):
    words = ["--repository", ".", "--workspace", f"runs/{name}", "--run", name, f'--overrides={{"status": {status}}}']
    kept = [f"{key}={value}" for key, value in environment.items()]
    return command(path, "env", *kept, "python", "-m", "eegdiffusion.operations.orchestration.open_run", *words).stdout


def names(repository):
    return {path.name for path in (repository / "runs").iterdir() if not path.name.startswith(".")}


def test_pruning(repository):
    runs = repository / "runs"
    assert prune(repository, runs, runs / "newer", keep=2, max_days=0) == []
    assert prune(repository, runs, runs / "newer", keep=2, max_days=8) == ["oldest"]
    assert names(repository) == {"failed", "older", "newer"}
    # What the run made is still there, and on its branch.
    assert "one" in git(repository, "show", "retrain/oldest:dvc.lock")

    (runs / "older" / "dvc.lock").write_text("changed since: it is no longer what was finalized\n")
    assert prune(repository, runs, runs / "newer", keep=0, max_days=0) == []
    git(runs / "older", "checkout", "--", "dvc.lock")
    assert "Removed the workspaces of finished runs: older\n" in _open(repository, "next", EEG_KEEP_RUNS=1)
    assert names(repository) == {"failed", "newer", "next"}
