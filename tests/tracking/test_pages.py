"""What MLflow's pages show of experiments and runs: names and descriptions that a person understands."""

import collections
from types import SimpleNamespace

import mlflow
import pytest

from eegdiffusion.core.observe.tracking import server
from eegdiffusion.core.observe.tracking.log_model import model_metrics
from eegdiffusion.core.observe.tracking.tracked_run import run_name, tracked
from eegdiffusion.core.runtime.settings import settings


@settings
class Toy:
    rate: float = 0.1


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlruns/mlflow.db")
        for seed in (0, 1):
            work = folder / f"work-{seed}"
            work.mkdir()
            item = {"labels": "recorded", "seed": seed}
            stage = SimpleNamespace(
                name="finetune_lft", description="Trains the LFT.", item=item, work=work, is_rank_zero=True
            )
            with tracked(stage, Toy(), title="LFT", corpus="surrogate") as logger:
                logger.log_metrics({"validation_loss": 0.5}, 1)
                logger.log_metrics({"validation_loss": 0.4}, 2)
            if seed == 0:
                mlflow.set_experiment_tag(server.NOTE, "Written by a person.")
        yield mlflow.MlflowClient()


def test_an_experiment_says_what_it_is_and_shows_models(store):
    experiment = store.get_experiment_by_name("finetune_lft")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert experiment.tags[server.NOTE] == "Written by a person."  # and not what the second run would say


def test_runs_are_named_and_described_in_words(store):
    experiment = store.get_experiment_by_name("finetune_lft")
    runs = {run.info.run_name: run for run in store.search_runs([experiment.experiment_id])}
    assert set(runs) == {f"LFT, labels recorded, seed {seed}, on surrogate" for seed in (0, 1)}
    for name, run in runs.items():
        assert run.data.tags[server.NOTE].startswith(f"{name}. Trains the LFT. **Surrogate data**")


def test_a_run_whose_argument_says_what_is_made_says_it_once():
    assert run_name("baseline", {"baseline": "sparcnet"}, "TUEV") == "baseline sparcnet, on TUEV"


def test_each_value_is_there_once(store):
    experiment = store.get_experiment_by_name("finetune_lft")
    for run in store.search_runs([experiment.experiment_id]):
        points = [(point.step, point.value) for point in store.get_metric_history(run.info.run_id, "validation_loss")]
        assert sorted(points) == [(1, 0.5), (2, 0.4)]
        assert max(collections.Counter(points).values()) == 1


def test_no_metric_of_a_model_bears_the_name_of_a_curve():
    assert model_metrics({"validation_loss": 0.4, "test_kappa": 0.5}) == {
        "best_validation_loss": 0.4,
        "test_kappa": 0.5,
    }
