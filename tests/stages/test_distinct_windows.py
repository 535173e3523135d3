"""Distinct windows: a store whose windows have several rows, each window once, its labels the set of its rows'."""

import json
from dataclasses import replace
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas
import pytest
import sklearn.metrics
import torch
import yaml

from components.cache_latents.compute import compute as cache_latents
from components.cache_latents.settings import CacheLatents
from components.finetune_tasks.compute import compute as finetune
from components.finetune_tasks.settings import EventTask
from eegdiffusion.commands.evaluate import command as evaluate
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.results.multi_label_tasks import count_rows_twice, read_multi_label_task
from eegdiffusion.events.store.distinct_labels import distinct_labels
from eegdiffusion.events.training.classifier_tokens import open_tokens
from eegdiffusion.events.training.event_task import monitor_of, positive_weights, task_classes, task_training
from eegdiffusion.operations.registry.registry_config import models_of_entries, read_registry
from eegdiffusion.report.multi_label_sections import (
    MultiLabelResults,
    flat_multi_label_metrics,
    multi_label_values,
)
from tests import registered_versions
from tests.e2e.workspace import ROOT
from tests.stages.test_finetune_tasks import DEFAULT, LATENTS
from tests.trial_corpus import trial_store, write_backbone

CPU = torch.device("cpu")
TASK = EventTask(corpus="waves", latents="waves", head="multi_label")


def _add_rows(store):
    """Give every second window two rows more of its class, and every fifth one of the other class."""
    windows = pandas.read_parquet(store.path / "windows.parquet")
    again = [windows, windows[::2].assign(channel=1), windows[::2].assign(channel=2)]
    other = windows[::5].assign(channel=3)
    table = pandas.concat([*again, other.assign(label=1 - other["label"])], ignore_index=True)
    table.sort_values(["recording", "start_sample"], kind="stable").to_parquet(
        store.path / "windows.parquet", index=False
    )


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    """A store with several rows a window, its latents, and LFTs of its distinct windows."""
    path = tmp_path_factory.mktemp("distinct")
    store, subjects = trial_store(path, known=True, validation_fraction=0.5)
    _add_rows(store)
    (path / "shards").mkdir()
    counts = cache_latents(
        store, write_backbone(path / "backbone"), CacheLatents(), LATENTS, CPU, path / "cache", path / "shards"
    )
    settings, hardware = task_training("sets", TASK, DEFAULT), Hardware(accelerator="cpu", precision="32-true")
    tested = finetune(
        store,
        subjects,
        path / "cache",
        LATENTS,
        "sets",
        TASK,
        settings,
        settings.optimisation,
        [0, 1],
        hardware,
        path / "task",
        path / "fit",
    )
    return SimpleNamespace(store=store, path=path, counts=counts, tested=tested, cache=path / "cache")


def test_rows_of_a_window_share_its_tokens(trials):
    windows = trials.store.event_windows("test")
    first, of_row = windows.distinct()
    assert (len(first), len(windows)) == (30, 30 + 30 + 6)
    assert trials.counts["distinct_windows"] == sum(
        len(trials.store.event_windows(s).distinct()[0]) for s in ("train", "validation", "test")
    )
    rows = open_tokens(trials.cache, LATENTS, trials.store, "test")[0]
    merged = rows.merged(rows.labels, 2)
    assert np.array_equal(merged.__getitems__([0, 29])["tokens"], rows.__getitems__(first[[0, 29]].tolist())["tokens"])
    for window, labels in enumerate(merged.labels):
        assert set(np.flatnonzero(labels)) == set(windows.labels[of_row == window])
    assert (merged.labels.sum(1) == 2).sum() == 6


@pytest.mark.parametrize(
    ("windows", "labels", "kept", "sets"),
    [
        ([0, 0, 1], [0, 0, 1], [0, 1], [[1, 0], [0, 1]]),
        ([0, 1, 0], [0, 1, 1], [0, 1], [[1, 1], [0, 1]]),
        ([0, 0, 1], [-1, 1, -1], [0], [[0, 1]]),
        ([2, 0, 2, 1], [0, 1, -1, -1], [0, 2], [[0, 1], [1, 0]]),
        ([0, 0], [-1, -1], [], np.zeros((0, 2))),
        ([5, 5, 5], [1, 0, 1], [5], [[1, 1]]),
    ],
)
def test_labels_are_the_set_of_the_rows(windows, labels, kept, sets):
    joined = distinct_labels(np.array(windows), np.array(labels), 2)
    assert joined[0].tolist() == kept
    assert np.array_equal(joined[1], sets)


def test_sets_are_trained_tested_and_told_by_both_protocols(trials):
    task = read_multi_label_task(trials.path / "task", [0, 1])
    labels = open_tokens(trials.cache, LATENTS, trials.store, "test")[0]
    labels = labels.merged(labels.labels, 2).labels
    assert np.array_equal(task.labels, labels)
    assert task.facts["test_windows"] == 30
    for seed in (0, 1):
        document = json.loads((trials.path / f"task/seed-{seed}/metrics.json").read_text())
        table = pandas.read_parquet(trials.path / f"task/seed-{seed}/predictions.parquet")
        chance = table[["p0", "p1"]].to_numpy()
        thresholds = [document["by_class"][name]["threshold"] for name in ("down", "up")]
        assert document["f1_macro"] == pytest.approx(
            sklearn.metrics.f1_score(labels, chance >= thresholds, average="macro")
        )
        assert document["auprc"] == pytest.approx(sklearn.metrics.average_precision_score(labels, chance))
        assert document["validation_score"] == document["validation_f1_macro"]
        assert document["windows"] == 30
    assert document["split_hash"] != trials.store.facts("test").split_hash, "scores of rows are of other data"
    assert trials.tested.metrics[trials.tested.seed]["auroc"] > 0.8, "up and down are told apart"

    rows = np.repeat(np.arange(30), task.windows["rows"])
    counted = task.protocols
    expected = [
        np.mean([sklearn.metrics.f1_score(labels[kept], each[kept], average="macro") for each in task.predicted])
        for kept in (rows, np.arange(30))
    ]
    assert (counted.f1_rows, counted.f1_windows) == pytest.approx(tuple(expected))
    assert counted.inflation.mean == pytest.approx(expected[0] - expected[1])
    assert (counted.rows, counted.windows) == (66, 30)

    results = {"sets": MultiLabelResults(task, {"LFT of sets": counted})}
    values = multi_label_values(results)
    sentences = " ".join(values["multi_label"]["sets"])
    assert "30 windows, each of which counts once" in sentences
    assert "counting each of 66 rows, as in the paper, in place of each of 30 windows once" in sentences
    assert f"{counted.inflation.mean:+z.3f} macro-F1" in sentences
    table = values["multi_label_table"]
    assert table["class"].tolist() == ["mean over classes", "mean over classes, band-power regression", "down", "up"]
    regression = task.baselines["band_power"]
    for seed, predicted in zip((0, 1), regression.predicted, strict=True):
        score = sklearn.metrics.f1_score(labels, predicted, average="macro")
        assert regression.metrics.loc[seed, "f1_macro"] == pytest.approx(score)
    difference = task.difference(regression.predicted)
    assert difference.mean == pytest.approx((task.metrics["f1_macro"] - regression.metrics["f1_macro"]).mean())
    assert f"its macro-F1 differs by {difference.mean:+z.3f} (" in sentences
    assert table.loc[0, "F1"] == f"{task.metrics['f1_macro'].mean():.3f}"
    assert values["protocols_table"].loc[0, "inflation"] == f"{counted.inflation.mean:+z.3f}"
    assert flat_multi_label_metrics(results)["task_sets_lft_inflation_mean"] == counted.inflation.mean


def test_a_classifier_of_one_class_is_counted_both_ways():
    windows = pandas.DataFrame(
        {"recording": list("aaabbb"), "start_sample": [0, 0, 0, 0, 5, 5], "label": [0, 0, 1, 1, 0, 0]}
    )
    predicted = np.array([[0, 0, 0, 0, 0, 0]])
    counted = count_rows_twice(windows, predicted, windows["recording"].to_numpy(), 2)
    labels = np.array([[1, 1], [0, 1], [1, 0]])
    assert counted.f1_windows == pytest.approx(sklearn.metrics.f1_score(labels, [[1, 0]] * 3, average="macro"))
    assert counted.f1_rows == pytest.approx(sklearn.metrics.f1_score(windows["label"], predicted[0], average="macro"))
    assert (counted.rows, counted.windows) == (6, 3)


def test_the_registered_model_says_each_class_by_itself_and_is_scored_by_its_thresholds(
    trials, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    (tmp_path / "data/events/waves").mkdir(parents=True)
    (tmp_path / "data/events/waves/store").symlink_to(trials.store.path)
    entry = {"corpus": "waves", "latents": "waves", "head": "multi_label"}
    params = {"event_tasks": {"sets": entry, "rows": {"corpus": "waves", "latents": "waves"}}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    with mlflow.start_run():
        registered_versions.register("lft", trials.tested.folder, {"corpus": "waves"})
    loaded = mlflow.pyfunc.load_model("models:/lft/1")
    windows = trials.store.event_windows("test")
    first, _ = windows.distinct()
    served = loaded.predict(windows.__getitems__(first.tolist())["signal"])
    assert np.allclose(served, trials.tested.probabilities, atol=1e-5)
    assert np.abs(served.sum(1) - 1).max() > 1e-3
    evaluate.main(["models:/lft/1", "--task", "sets", "--out", "scores.csv"], standalone_mode=False)
    scores = pandas.read_csv("scores.csv", keep_default_na=False).set_index(["metric", "class"])["value"]
    for name, value in trials.tested.metrics[trials.tested.seed].items():
        assert float(scores[name, ""]) == pytest.approx(value, abs=1e-6)
    assert float(scores["windows", ""]) == 30
    assert "f1_macro" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"--task: must name an entry of event_tasks with `head: multi_label`"):
        evaluate.main(["models:/lft/1", "--task", "rows"], standalone_mode=False)


def test_the_registry_compares_sets_by_their_macro_f1(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = read_registry(ROOT / "mlflow/registry.yaml")["lft-{entry}"]
    entry = {"corpus": "waves", "latents": "waves"}
    (tmp_path / "params.yaml").write_text(
        yaml.safe_dump({"event_tasks": {"sets": entry | {"head": "multi_label"}, "rows": entry}})
    )
    models = models_of_entries("lft-{entry}", config)
    assert models["lft-sets"].gate.metric == "f1_macro"
    assert models["lft-sets"].metrics == ["f1_macro", "auroc", "auprc"]
    assert "each by itself" in models["lft-sets"].card.output
    assert models["lft-rows"].gate == config.gate
    assert models["lft-rows"].results == "models/lft/tasks/rows/*"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"monitor": "cohen_kappa"}, "event_tasks.x.monitor: cohen_kappa needs `head: multiclass` or `head: binary`"),
        ({"head": "binary", "monitor": "f1_macro"}, "event_tasks.x.monitor: f1_macro needs `head: multi_label`"),
        (
            {"head": "multiclass", "monitor": "auprc"},
            "auprc needs `head: binary` or `head: multi_label` .found multicl",
        ),
    ],
)
def test_a_metric_that_the_head_has_not_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        task_classes("x", replace(TASK, **changes), ["down", "up"])


def test_weights_are_of_each_class():
    labels = np.array([[1, 0], [1, 1], [0, 1], [1, 0]])
    assert positive_weights(TASK, ["a", "b"], labels) == pytest.approx([1 / 3, 1])
    assert positive_weights(replace(TASK, positive_weight=2.5), ["a", "b"], labels) == [2.5]
    assert (monitor_of(TASK), monitor_of(replace(TASK, head="binary"))) == ("f1_macro", "cohen_kappa")
    labels[:, 1] = 0
    with pytest.raises(InputError, match=r"labels: each class must occur in some training windows .*found b in none"):
        positive_weights(TASK, ["a", "b"], labels)


def test_tokens_that_are_drawn_are_merged_like_cached_ones(trials, tmp_path):
    latents = Latents(backbone="base", corpus="waves", pool_s=0.5, noise="random", codec="float32", statistic="mean")
    (tmp_path / "shards").mkdir()
    cache_latents(
        trials.store, trials.path / "backbone", CacheLatents(), latents, CPU, tmp_path / "cache", tmp_path / "shards"
    )
    drawn = open_tokens(tmp_path / "cache", latents, trials.store, "test")[0]
    cached = open_tokens(trials.cache, LATENTS, trials.store, "test")[0]
    merged = drawn.merged(drawn.labels, 2)
    assert np.array_equal(merged.labels, cached.merged(cached.labels, 2).labels)
    first, _ = trials.store.event_windows("test").distinct()
    assert np.array_equal(
        merged.__getitems__([3])["signal"], trials.store.event_windows("test").__getitems__([int(first[3])])["signal"]
    )
