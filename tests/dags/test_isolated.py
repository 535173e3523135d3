"""Runs without a shared file system: every task in a clone of its own, as in a pod; data go through the remotes."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.dags.airflow_home import RESOURCES, git, stub
from tests.e2e.workspace import environment

STAGES = f"""stages:
  one:
    cmd: mkdir -p data && cp in.txt data/one && echo one >> "$RAN"
    deps: [in.txt]
    outs: [data/one]
    {RESOURCES}
  two:
    matrix:
      seed: ${{seeds}}
    cmd: echo two-${{item.seed}} >> "$RAN" && ls data > "$RAN.${{item.seed}}" && sleep ${{pause}} &&
      cat data/one params.yaml > data/two-${{item.seed}} && exit ${{status}}
    deps: [data/one]
    params: [status]
    outs:
      - data/two-${{item.seed}}
    {RESOURCES}
  three:
    cmd: echo three >> "$RAN" && cat data/two-0 data/two-1 > data/three
    deps: [data/two-0, data/two-1]
    outs: [data/three]
    {RESOURCES}
"""
PARAMS = "seeds: [0, 1]\nstatus: 0\npause: 0\n"


class Cluster:
    """A bare git remote, and pods that have nothing else in common but DVC's remote."""

    def __init__(self, root: Path, stages: str = STAGES):
        self.root, self.pods = root, 0
        self.variables = {"RAN": str(root / "ran"), "PYTHONPATH": ""}
        origin = stub(root / "origin", stages, PARAMS)
        (origin / "in.txt").write_text("signals")
        git(origin, "add", "in.txt")
        git(origin, "commit", "-qm", "Add the signals")
        git(root, "clone", "-q", "--bare", str(origin), "remote.git")

    def start(self, branch: str, *words: str) -> subprocess.Popen:
        self.pods += 1
        clone = self.root / "pods" / str(self.pods)
        git(self.root, "clone", "-q", *(["--branch", branch] if branch else []), "remote.git", str(clone))
        module = ["python", "-m", "eegdiffusion.operations.orchestration.isolated", *words]
        return subprocess.Popen(
            module,
            cwd=clone,
            env=environment() | self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def pod(self, branch: str, *words: str, status: int = 0) -> str:
        process = self.start(branch, *words)
        said, _ = process.communicate()
        assert process.returncode == status, said
        return said

    def open(self, name: str = "r1", *more: str, status: int = 0) -> str:
        return self.pod("", "open", "--run", name, "--branch", f"retrain/{name}", *more, status=status)

    def ran(self) -> list[str]:
        return sorted((self.root / "ran").read_text().split())

    def show(self, name: str) -> dict:
        return yaml.safe_load(git(self.root / "remote.git", "show", name))

    def refs(self) -> list[str]:
        return git(self.root / "remote.git", "for-each-ref", "--format=%(refname)", "refs/eeg").split()


@pytest.fixture
def cluster(tmp_path):
    return Cluster(tmp_path)


def test_a_run_in_clones_equals_a_run_in_one_workspace(cluster):
    cluster.open()
    cluster.pod("retrain/r1", "stage", "one")
    both = [cluster.start("retrain/r1", "stage", f"two@{seed}") for seed in (0, 1)]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    cluster.pod("retrain/r1", "stage", "three")
    assert cluster.refs() == [f"refs/eeg/r1/{stage}" for stage in ("one", "three", "two@0", "two@1")]
    cluster.pod("retrain/r1", "finalize")
    assert cluster.refs() == [], "the branch holds them all"
    assert cluster.ran() == ["one", "three", "two-0", "two-1"]
    assert (cluster.root / "ran.0").read_text().split() == ["one"], "nothing but the direct dependency was pulled"

    shared = cluster.root / "shared"
    git(cluster.root, "clone", "-q", "remote.git", str(shared))
    done = subprocess.run(
        ["dvc", "repro", "-q"], cwd=shared, env=environment() | {"RAN": str(cluster.root / "again")}, check=True
    )
    assert done.returncode == 0
    assert cluster.show("retrain/r1:dvc.lock") == yaml.safe_load((shared / "dvc.lock").read_text())


def test_what_has_not_changed_is_neither_run_nor_pulled(cluster):
    for name in ("r1", "r2"):
        cluster.open(name)
        for stage in ("one", "two@0", "two@1", "three"):
            cluster.pod(f"retrain/{name}", "stage", stage)
        cluster.pod(f"retrain/{name}", "finalize")
        if name == "r1":  # the second run starts where the first ended
            git(cluster.root / "remote.git", "update-ref", "refs/heads/main", "refs/heads/retrain/r1")
    assert cluster.ran() == ["one", "three", "two-0", "two-1"]
    pulled = [path.name for path in (cluster.root / "pods" / str(cluster.pods - 1) / "data").glob("*")]
    assert pulled == []


def test_a_stage_runs_again_when_what_it_takes_has_changed(cluster):
    """Its parameters and command have not, and its input is absent from the clone."""
    cluster.open()
    for stage in ("one", "two@0", "two@1", "three"):
        cluster.pod("retrain/r1", "stage", stage)
    changed = cluster.root / "changed"
    git(cluster.root, "clone", "-q", "--branch", "retrain/r1", "remote.git", str(changed))
    (changed / "in.txt").write_text("other signals")
    git(changed, "commit", "-qam", "Change the signals")
    git(changed, "push", "-q", "origin", "retrain/r1")
    cluster.pod("retrain/r1", "stage", "one")
    assert "out of date: two@0, two@1" in cluster.pod("retrain/r1", "finalize", status=1)
    for stage in ("two@0", "two@1", "three"):
        cluster.pod("retrain/r1", "stage", stage)
    cluster.pod("retrain/r1", "finalize")
    assert cluster.ran() == sorted(2 * ["one", "two-0", "two-1", "three"])


def test_a_run_goes_on_after_a_failure(cluster):
    cluster.open("r1", "--overrides", json.dumps({"status": 65}))
    cluster.pod("retrain/r1", "stage", "one")
    assert "65" in cluster.pod("retrain/r1", "stage", "two@0", status=65), "bad input keeps its status"
    assert cluster.refs() == ["refs/eeg/r1/one"]
    assert "resumed" in cluster.open()
    cluster.pod("retrain/r1", "stage", "one")
    assert cluster.ran() == ["one", "two-0"]


def test_a_run_that_is_not_done_is_not_finalized(cluster):
    cluster.open()
    cluster.pod("retrain/r1", "stage", "one")
    assert "out of date: two@0, two@1, three" in cluster.pod("retrain/r1", "finalize", status=1)
    assert cluster.refs() == ["refs/eeg/r1/one"]


def test_data_that_could_not_be_pushed_leave_no_fragment(cluster, tmp_path):
    cluster.open()
    storage = cluster.root / "pods" / "dvc-storage"
    storage.write_text("a file is in the way")
    process = cluster.start("retrain/r1", "stage", "one")
    assert "push" in process.communicate()[0]
    assert process.returncode == 1
    assert cluster.refs() == []


def test_what_comes_after_gets_the_outputs_it_asks_for(cluster):
    cluster.open()
    for stage in ("one", "two@0", "two@1", "three"):
        cluster.pod("retrain/r1", "stage", stage)
    cluster.pod("retrain/r1", "finalize")
    said = cluster.pod("retrain/r1", "after", "data", "ls", "data")
    assert said.split()[-4:] == ["one", "three", "two-0", "two-1"]


def test_training_goes_on_where_a_lost_pod_was(cluster):
    """A stage that keeps what it has done in ``.work``, as training does; its pod is killed in the middle."""
    steps = """stages:
  train:
    cmd: mkdir -p .work data; touch .work/steps; for i in 1 2 3 4 5 6; do if [ $(wc -l < .work/steps) -lt $i ]; then
      echo $i >> .work/steps; echo $i >> "$RAN"; sleep 0.5; fi; done; cp .work/steps data/trained
    deps: [in.txt]
    outs: [data/trained]
    meta: {airflow: {gpus: 0, cpus: 1, memory_gb: 1, shm_gb: 1, retries: 2, timeout_min: 5}}
"""
    lossy = Cluster(cluster.root / "lossy", steps)
    lossy.variables["EEG_CHECKPOINTS"] = str(lossy.root / "volume")
    lossy.open()
    process = lossy.start("retrain/r1", "stage", "train")
    while not (lossy.root / "ran").exists() or len(lossy.ran()) < 2:
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = len(lossy.ran())
    lossy.pod("retrain/r1", "stage", "train")
    assert 2 <= done < 6, "no step was done twice"
    assert lossy.ran() == ["1", "2", "3", "4", "5", "6"], "no step was done twice"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--overrides", '{"nothing": 1}'], "overrides: "),
        (["--revision", "nowhere"], "revision: 'nowhere' is not in"),
        (["--stages", "one"], "not those of the DAG"),
    ],
)
def test_what_a_run_cannot_be_opened_with_is_named(cluster, more, message):
    assert message in cluster.open("r1", *more, status=65)
    assert not git(cluster.root / "remote.git", "branch", "--list", "retrain/*")


def test_a_source_within_the_repository_is_refused(tmp_path):
    cluster = Cluster(tmp_path, STAGES.replace("deps: [in.txt]", "deps: [data/raw]"))
    assert "data/raw: a stage depends on it and git does not hold it" in cluster.open(status=65)


def test_a_branch_belongs_to_one_run(cluster):
    cluster.open()
    said = cluster.pod("", "open", "--run", "r2", "--branch", "retrain/r1", status=65)
    assert "is the branch of the run r1, not of r2" in said
