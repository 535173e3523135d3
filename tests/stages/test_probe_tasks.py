"""Real trials from their files to probes of a frozen backbone."""

from dataclasses import replace

import numpy as np
import pandas
import pytest
import sklearn.metrics
import torch

from components.probe_tasks import compute as probe_tasks
from components.probe_tasks.settings import ProbedTask
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.mulaw import mulaw
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.probes.feature_names import BANDS, PRETRAINED, RAW, UNTRAINED
from eegdiffusion.events.results.task_probes import read_task
from tests.trial_corpus import trial_store, write_backbone

CPU = torch.device("cpu")
SETTINGS = ProbedTask(backbone="base", corpus="blink", folds=3, untrained_seeds=[0, 1])


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    return trial_store(tmp_path_factory.mktemp("known"), known=True)


@pytest.fixture(scope="module")
def unknown(tmp_path_factory):
    return trial_store(tmp_path_factory.mktemp("unknown"), known=False)


@pytest.mark.parametrize(("corpus", "drawn", "groups"), [("known", "recordings", 6), ("unknown", "windows", 30)])
def test_a_task_is_probed_beside_what_was_not_pretrained(corpus, drawn, groups, request, tmp_path):
    store, subjects = request.getfixturevalue(corpus)
    backbone = write_backbone(tmp_path / "backbone")
    table = probe_tasks.compute(store, subjects, backbone, SETTINGS, CPU, tmp_path / "task")
    results = read_task(tmp_path / "task")
    pandas.testing.assert_frame_equal(results.table, table, check_exact=False)
    assert table["features"].tolist() == [PRETRAINED, UNTRAINED, BANDS, RAW]
    assert table["seeds"].tolist() == [1, 2, 1, 1]
    rows = table.set_index("features")
    assert rows.loc[RAW, "balanced_accuracy"] > 0.9, "the wave is in the samples"
    assert results.best["balanced_accuracy"] == table["balanced_accuracy"].max()
    assert {"corpus": "waves", "training_windows": 48, "test_windows": 30, "drawn": drawn, "groups": groups,
            "chance": 0.5}.items() <= results.facts.items()  # fmt: skip
    predictions = pandas.read_parquet(tmp_path / "task/predictions.parquet")
    assert predictions["label"].tolist() == store.event_windows("test").labels.tolist()
    for name, seeds in ((PRETRAINED, 1), (UNTRAINED, 2), (BANDS, 1), (RAW, 1)):
        scores = [
            sklearn.metrics.balanced_accuracy_score(predictions["label"], predictions[f"{name} {k}"])
            for k in range(seeds)
        ]
        assert rows.loc[name, "balanced_accuracy"] == pytest.approx(np.mean(scores))
    differences = results.differences.set_index("against")
    assert differences.index.tolist() == [UNTRAINED, BANDS, RAW]
    for name in differences.index:
        own, other = (rows.loc[each, "balanced_accuracy"] for each in (PRETRAINED, name))
        assert differences.loc[name, "mean"] == pytest.approx(own - other)
    probe_tasks.compute(store, subjects, backbone, SETTINGS, CPU, tmp_path / "again")
    for file in ("probes.csv", "differences.csv", "task.json", "predictions.parquet"):
        assert (tmp_path / "again" / file).read_bytes() == (tmp_path / "task" / file).read_bytes()


def test_tokens_are_those_of_half_a_second_and_of_the_montages_numbers(known, tmp_path):
    store, subjects = known
    network, transform = signal_transform.load(write_backbone(tmp_path / "backbone"))
    parts = {"test": probe_tasks.read_windows(store, ("test",), subjects)}
    variants = probe_tasks.token_variants(network, transform, store, SETTINGS, parts, CPU)
    assert list(variants) == ["std", "mean", "std and mean"]
    signals = torch.from_numpy(parts["test"].signals)
    assert signals.shape == (30, 4, 400)
    assert store.montage.ids == [8, 0, 4, 13]
    for statistic in ("std", "mean"):
        expected = network.tokens(mulaw(signals), window=100, statistic=statistic, channels=[8, 0, 4, 13])
        pooled = variants[statistic]["test"].reshape(30, 2, 4, 4, 4)
        assert np.allclose(pooled, expected.detach().numpy(), atol=1e-5)
    both = np.sort(np.concatenate([variants["std"]["test"], variants["mean"]["test"]], axis=1), axis=1)
    assert np.array_equal(np.sort(variants["std and mean"]["test"], axis=1), both)


def test_test_windows_do_not_choose(known, tmp_path, monkeypatch):
    store, subjects = known
    seen = []
    choose = probe_tasks.choose

    def keep(variants, kinds, labels, groups, folds):
        seen.append((labels.copy(), {len(features) for features in variants.values()}, set(groups)))
        return choose(variants, kinds, labels, groups, folds)

    monkeypatch.setattr(probe_tasks, "choose", keep)
    settings = replace(SETTINGS, untrained_seeds=[0])
    probe_tasks.compute(store, subjects, write_backbone(tmp_path / "backbone"), settings, CPU, tmp_path / "task")
    assert len(seen) == 4
    for labels, rows, groups in seen:
        assert len(labels) == 48
        assert rows == {48}
        assert groups == {f"train recording {k}" for k in range(8)}


def test_a_backbone_of_other_channels_is_refused(known, tmp_path):
    store, subjects = known
    backbone = write_backbone(tmp_path / "backbone", ["A", "B", "C", "D"])
    with pytest.raises(InputError, match="channel_ids: the backbone must know the numbers of montage muse"):
        probe_tasks.compute(store, subjects, backbone, SETTINGS, CPU, tmp_path / "task")
    assert not (tmp_path / "task").exists()


def test_windows_shorter_than_a_pool_are_refused(known, tmp_path):
    store, subjects = known
    settings = replace(SETTINGS, pool_s=3.0)
    with pytest.raises(InputError, match=r"window: .*400 samples"):
        probe_tasks.compute(store, subjects, write_backbone(tmp_path / "backbone"), settings, CPU, tmp_path / "task")
