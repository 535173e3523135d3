"""The retraining DAG, really run: the whole graph on a tiny corpus."""

import json

import mlflow
import pytest
import yaml
from dvc.repo import Repo

from tests.dags.airflow_home import git, start
from tests.e2e.workspace import command, make, module

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def airflow(tmp_path_factory, migrated):
    root = tmp_path_factory.mktemp("retrain")
    repository = make(root / "repository")
    registry = repository / "mlflow" / "registry.yaml"
    document = yaml.safe_load(registry.read_text())
    del document["baseline-sparcnet"]  # not trained here
    registry.write_text(yaml.safe_dump(document))
    git(repository, "commit", "-qam", "Register what the tiny run trains")
    return start(root / "home", repository, migrated)


def test_a_run_trains_finalizes_and_registers(airflow):
    overrides = {"finetune_lft.optimisation.max_epochs": 1, "train_baselines.optimisation.learning_rate": 0.002}
    found = airflow.dag("eeg_retrain", {"overrides": overrides})
    assert set(found["tasks"].values()) == {"success"}, found["log"][-8000:]
    assert set(found["tries"].values()) == {1}
    repository, workspace = airflow.repository, airflow.workspace()

    params = yaml.safe_load((workspace / "params.yaml").read_text())
    assert params["finetune_lft"]["optimisation"]["max_epochs"] == 1
    assert yaml.safe_load((repository / "params.yaml").read_text())["finetune_lft"]["optimisation"]["max_epochs"] == 2
    assert (workspace / "reports" / "report.html").is_file()
    assert json.loads(command(workspace, "dvc", "status", "--json").stdout) == {}
    assert command(workspace, "dvc", "status", "--cloud").stdout.strip().endswith("in sync.")
    assert list((repository.parent / "dvc-storage").rglob("*/*")), "the remote is the repository's, not the clone's"

    (branch,) = git(repository, "branch", "--list", "--format=%(refname:short)", "retrain/*").split()
    assert branch == f"retrain/{workspace.name}"
    lock = yaml.safe_load(git(repository, "show", f"{branch}:dvc.lock"))["stages"]
    with Repo(str(workspace)) as repo:
        assert lock.keys() == {stage.name for stage in repo.index.stages} >= {"finetune_lft@recorded-0"}
    recorded = yaml.safe_load(git(repository, "show", f"{branch}:params.yaml"))
    assert recorded == params

    mlflow.set_tracking_uri(f"sqlite:///{repository}/mlruns/mlflow.db")
    version = mlflow.MlflowClient().get_model_version_by_alias("lft", "challenger")
    assert version.tags["git.revision"] == git(workspace, "rev-parse", "HEAD").strip()
    runs = mlflow.search_runs(experiment_names=["finetune_lft"])
    assert set(runs["tags.airflow.run_id"]) == {found["run_id"]}
    assert all(uri.startswith(f"file://{repository}/mlruns/") for uri in runs["artifact_uri"])


def test_a_version_leads_back_to_the_finalized_revision(airflow):
    done = module(airflow.repository, "reproduce", "models:/ssmdp@challenger", "--no-training")
    assert "uncommitted" not in done.stdout
    assert "are those of dvc.lock: data/events/tuev/store" in done.stdout


def test_promotion_moves_the_champion(airflow):
    found = airflow.dag("eeg_promote")
    assert found["tasks"] == {"promote": "success"}, found["log"][-8000:]
    mlflow.set_tracking_uri(f"sqlite:///{airflow.repository}/mlruns/mlflow.db")
    assert mlflow.MlflowClient().get_model_version_by_alias("ssmdp", "champion").version == 1
