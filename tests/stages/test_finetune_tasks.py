"""LFTs of further tasks: from real files of trials to classifiers of classes and heads that an entry names."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas
import pytest
import sklearn.metrics
import torch

from components.cache_latents.compute import compute as cache_latents
from components.cache_latents.settings import CacheLatents
from components.finetune_tasks.compute import compute as finetune
from components.finetune_tasks.settings import EventTask, LFTTraining
from components.probe_tasks.compute import compute as probe
from components.probe_tasks.settings import ProbedTask
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.models.latent_settings import Latents, check_corpus
from eegdiffusion.events.results.finetuned_tasks import differences_from_probes, read_finetuned_task
from eegdiffusion.events.results.task_probes import read_task
from eegdiffusion.events.serving.lft_pyfunc import EventClassifier, package
from eegdiffusion.events.training.classifier_tokens import open_tokens
from eegdiffusion.events.training.event_task import balanced_weight, task_classes, task_training
from eegdiffusion.events.training.finetuning import train_lft
from eegdiffusion.events.training.task_baselines import check_baselines
from eegdiffusion.report.task_sections import finetuned_sentences, finetuned_table, flat_task_metrics
from tests.trial_corpus import trial_store, write_backbone

CPU = torch.device("cpu")
LATENTS = Latents(backbone="base", corpus="waves", pool_s=0.5, codec="float32", statistic="mean")
MULTICLASS = EventTask(corpus="waves", latents="waves")
BINARY = replace(MULTICLASS, head="binary", monitor="auroc", classes={"b": ["up"], "a": ["down"]})
EMA = {"beta": 0.9, "update_after_step": 1, "update_every": 1}
DEFAULT = {
    "latents": "base",
    "corpus": "tuev",
    "model": {"n_fusion": 2, "num_heads": 2, "encoder_blocks": 1, "token_scale": 3.0},
    "optimisation": {"batch_size": 8, "max_epochs": 8, "patience": 8, "learning_rate": 1e-2, "ema": EMA},
}
DEFAULT = validate(DEFAULT, LFTTraining, "test")


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    """A store of trials, the subject of each recording, and their latents."""
    path = tmp_path_factory.mktemp("trials")
    store, subjects = trial_store(path, known=True, validation_fraction=0.5)
    (path / "shards").mkdir()
    backbone = write_backbone(path / "backbone")
    cache_latents(store, backbone, CacheLatents(), LATENTS, CPU, path / "cache", path / "shards")
    probe(store, subjects, backbone, ProbedTask(backbone="base", corpus="waves", folds=3), CPU, path / "probes")
    return SimpleNamespace(store=store, subjects=subjects, cache=path / "cache", probes=path / "probes")


def _finetune(trials, task, path, seeds=(0, 1)):
    settings = task_training("waves", task, DEFAULT)
    hardware = Hardware(accelerator="cpu", precision="32-true")
    path.mkdir()
    return finetune(
        trials.store, trials.subjects, trials.cache, LATENTS, "waves", task, settings, settings.optimisation,
        list(seeds), hardware, path / "task", path / "fit",
    )  # fmt: skip


def test_tokens_are_of_half_a_second(trials):
    tokens = open_tokens(trials.cache, LATENTS, trials.store, "test")[0]
    assert tokens.shape == (2, 4, 4, 4)
    signals = torch.from_numpy(trials.store.event_windows("test").__getitems__([0, 1])["signal"])
    backbone, transform = signal_transform.load(trials.cache / "backbone")
    given = {"channels": trials.store.montage.ids, "check": False}
    expected = signal_transform.tokens(backbone, transform, replace(LATENTS, pool_s=None), signals, window=100, **given)
    assert np.allclose(tokens.__getitems__([0, 1])["tokens"], expected, atol=1e-6)
    seconds = signal_transform.tokens(backbone, transform, replace(LATENTS, pool_s=1.0), signals, **given)
    assert torch.equal(
        seconds, signal_transform.tokens(backbone, transform, replace(LATENTS, pool_s=None), signals, **given)
    )


def test_a_task_is_trained_tested_and_told_beside_its_probes(trials, tmp_path):
    tested = _finetune(trials, MULTICLASS, tmp_path / "multiclass")
    folder = tmp_path / "multiclass/task"
    task, probes = read_finetuned_task(folder, [0, 1]), read_task(trials.probes)
    assert task.facts["classes"] == tested.classes == ["down", "up"]
    assert task.facts["left_out"] == {"train": 0, "validation": 0, "test": 0}
    labels = trials.store.event_windows("test").labels
    scores: list[float] = []
    for seed in (0, 1):
        predictions = pandas.read_parquet(folder / f"seed-{seed}/predictions.parquet")
        document = json.loads((folder / f"seed-{seed}/metrics.json").read_text())
        assert predictions["label"].tolist() == labels.tolist()
        score = sklearn.metrics.balanced_accuracy_score(labels, predictions[["p0", "p1"]].to_numpy().argmax(1))
        assert document["balanced_accuracy"] == pytest.approx(score) == tested.metrics[seed]["balanced_accuracy"]
        assert document["validation_score"] == document["validation_cohen_kappa"]
        assert "auroc" not in document
        scores.append(document["validation_score"])
    assert tested.folder == folder / f"seed-{int(np.argmax(scores))}"
    differences = dict(differences_from_probes(task, probes))
    assert set(differences) == set(probes.table["features"])
    own = task.metrics["balanced_accuracy"].mean()
    for features, row in probes.table.set_index("features").iterrows():
        assert differences[features].mean == pytest.approx(own - row["balanced_accuracy"])
    regression = task.baselines["band_power"]
    for seed, predicted in zip((0, 1), regression.predicted, strict=True):
        score = sklearn.metrics.balanced_accuracy_score(labels, predicted)
        assert regression.metrics.loc[seed, "balanced_accuracy"] == pytest.approx(score)
    difference = task.difference(regression.predicted)
    assert difference.mean == pytest.approx(own - regression.metrics["balanced_accuracy"].mean())
    table = finetuned_table({"waves": task})
    assert table["classifier"].tolist() == ["LFT", "band-power regression"]
    assert table.loc[1, "balanced accuracy"] == f"{regression.metrics['balanced_accuracy'].mean():.3f}"
    sentences = " ".join(finetuned_sentences("waves", task, {"waves": probes}))
    assert f"same windows it differs by {difference.mean:+z.3f} (" in sentences
    assert sentences.startswith(f"The LFT that was trained for it has a balanced accuracy of {own:.3f} (")
    assert sentences.count(" from ") == 6
    assert "AUROC" not in table
    metrics = flat_task_metrics({"waves": probes}, {"waves": task})
    assert metrics["task_waves_lft_over_band_power_baseline_mean"] == pytest.approx(difference.mean)
    assert metrics["task_waves_lft_over_raw_samples_mean"] == pytest.approx(differences["raw samples"].mean)


def test_one_logit_tells_two_classes_apart_and_is_served(trials, tmp_path):
    tested = _finetune(trials, BINARY, tmp_path / "binary", seeds=[0])
    assert tested.classes == ["b", "a"]
    labels = 1 - trials.store.event_windows("test").labels
    assert np.array_equal(tested.labels, labels)
    metrics = tested.metrics[0]
    assert metrics["auroc"] == pytest.approx(sklearn.metrics.roc_auc_score(labels, tested.probabilities[:, 1]))
    decided = tested.probabilities[:, 1] >= metrics["threshold"]
    score = sklearn.metrics.balanced_accuracy_score(labels, decided)
    assert metrics["balanced_accuracy_at_threshold"] == pytest.approx(score)
    assert json.loads((tested.folder / "lft/config.json").read_text())["n_class"] == 1
    document = json.loads((tested.folder / "metrics.json").read_text())
    assert document["split_hash"] != trials.store.facts("test").split_hash, "scores of other classes do not compare"
    artifacts, signature, _ = package(tested.folder)
    model = EventClassifier()
    model.load_context(SimpleNamespace(artifacts={name: str(path) for name, path in artifacts.items()}))
    windows = trials.store.event_windows("test").__getitems__([0, 1, 2])["signal"]
    served = model.predict(None, windows)
    assert np.allclose(served, tested.probabilities[:3], atol=1e-5)
    assert signature.outputs.inputs[0].shape == (-1, 2)
    assert model.preprocessing["classes"] == ["b", "a"]
    task = read_finetuned_task(tmp_path / "binary/task", [0])
    assert finetuned_table({"waves": task}).loc[0, "AUROC"] == f"{metrics['auroc']:.3f}"
    sentences = " ".join(finetuned_sentences("waves", task, {"waves": read_task(trials.probes)}))
    assert "It differs by" not in sentences, "the probes tell other classes apart"


def test_windows_of_other_classes_are_left_out_and_counted():
    task = replace(BINARY, classes={"other": ["eyem", "bckg"], "epileptiform": ["spsw", "gped", "pled"]})
    names, of_class = task_classes("x", task, ["spsw", "gped", "pled", "eyem", "artf", "bckg"])
    assert names == ["other", "epileptiform"]
    assert of_class.tolist() == [1, 1, 1, 0, -1, 0]


def test_left_out_rows_take_their_tokens_along(trials):
    tokens = open_tokens(trials.cache, LATENTS, trials.store, "test")[0]
    labels = np.where(np.arange(len(tokens)) % 3 == 1, 5, -1)
    fewer = tokens.relabelled(labels)
    assert len(fewer) == 10
    assert set(fewer.labels) == {5}
    rows = np.flatnonzero(labels >= 0)
    assert np.array_equal(fewer.__getitems__([0, 9])["tokens"], tokens.__getitems__(rows[[0, 9]].tolist())["tokens"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"classes": {"a": ["up"], "b": ["dwn"]}},
            "x.classes.b: .*has down, up .found 'dwn'.*did you mean",
        ),
        ({"classes": {"a": ["up"], "b": ["down", "up"]}}, r"classes.b: a class belongs to one alone .found 'up' twice"),
        ({"head": "binary"}, "event_tasks.x.head: binary is for two classes .found down, up, flat"),
        ({"monitor": "auprc"}, "event_tasks.x.monitor: auprc needs `head: binary` or `head: multi_label`"),
    ],
)
def test_a_task_that_cannot_be_is_refused(changes, message):
    corpus = ["down", "up", "flat"] if changes.get("head") else ["down", "up"]
    with pytest.raises(InputError, match=message):
        task_classes("x", replace(MULTICLASS, **changes), corpus)


def test_band_powers_of_windows_that_are_too_short_are_refused_before_training():
    check_baselines("x", MULTICLASS, 1.0)
    check_baselines("x", replace(MULTICLASS, baselines=["sparcnet"]), 0.5)
    with pytest.raises(InputError, match=r"event_tasks\.x\.baselines: must not have band_power.*found 0\.5 s"):
        check_baselines("x", MULTICLASS, 0.5)


def test_settings_that_differ_are_checked():
    changed = task_training("x", replace(MULTICLASS, model={"n_fusion": 3}, optimisation={"max_epochs": 2}), DEFAULT)
    assert (changed.corpus, changed.latents) == ("waves", "waves")
    assert (changed.model.n_fusion, changed.model.num_heads, changed.optimisation.max_epochs) == (3, 2, 2)
    assert task_training("x", replace(MULTICLASS, training={"label_smoothing": 0.3}), DEFAULT).label_smoothing == 0.3
    with pytest.raises(InputError, match=r"event_tasks\.x\.training: must not have corpus, which the task itself"):
        task_training("x", replace(MULTICLASS, training={"corpus": "y"}), DEFAULT)
    with pytest.raises(InputError, match=r"event_tasks\.x.*n_fusio"):
        task_training("x", replace(MULTICLASS, model={"n_fusio": 3}), DEFAULT)
    with pytest.raises(InputError, match=r"event_tasks\.x\.corpus: must be 'waves'"):
        check_corpus("waves", LATENTS, "other", "event_tasks.x")
    assert balanced_weight(np.array([0, 0, 0, 1])) == 3
    with pytest.raises(InputError, match="both classes"):
        balanced_weight(np.zeros(3, int))


def test_validation_windows_of_one_class_choose_nothing(trials, tmp_path):
    tokens = open_tokens(trials.cache, LATENTS, trials.store, "train", "validation")
    alone = tokens[1].relabelled(np.zeros(len(tokens[1]), np.int64))
    settings = task_training("waves", MULTICLASS, DEFAULT)
    with pytest.raises(InputError, match=r"validation: cohen_kappa chooses .*found class 0 alone of 24"):
        train_lft(tokens[0], alone, settings, 2, 0, Hardware(accelerator="cpu", precision="32-true"), tmp_path)
