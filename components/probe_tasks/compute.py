"""Probes a frozen backbone on a corpus that it was not pretrained on, beside features that no pretraining made."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas
import torch

from components.probe_tasks.settings import ProbedTask
from eegdiffusion.core.statistics.classification_metrics import chance_level
from eegdiffusion.core.storage.spreadsheet import write_table
from eegdiffusion.core.training.inference import ArrayDataset, batched
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.models.band_power_regression import BandPowerRegression
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.models.latents import STATISTICS
from eegdiffusion.events.models.signal_transform import SignalTransform
from eegdiffusion.events.models.ssmdp import SSMDP
from eegdiffusion.events.probes.chosen_probe import choose
from eegdiffusion.events.probes.feature_names import BANDS, PRETRAINED, RAW, UNTRAINED
from eegdiffusion.events.probes.probes import probe
from eegdiffusion.events.probes.raw_samples import raw_samples
from eegdiffusion.events.probes.task_scores import TaskProbe, differences_from_pretrained, score_probes
from eegdiffusion.events.probes.untrained_backbone import untrained_backbone
from eegdiffusion.events.store.window_groups import window_groups
from eegdiffusion.events.store.window_store import Store

Variants = dict[str, dict[str, np.ndarray]]
"""Variant of features -> ``train`` and ``test`` -> (windows, features)."""

Parts = Mapping[str, "TaskWindows"]
"""``train`` and ``test`` -> their windows."""

PROBES_OF = {PRETRAINED: ["ridge"], UNTRAINED: ["ridge"], BANDS: ["lda", "ridge"], RAW: ["lda", "ridge"]}
"""Probes that cross-validation chooses from. Tokens are many more than windows, where a ridge is what is quick."""


@dataclass(frozen=True)
class TaskWindows:
    """The windows of a part of a corpus.

    Attributes:
        signals: (windows, channels, samples) float32 in 100 uV.
        labels: (windows,) int64, 0-based.
        groups: (windows,), whose windows are alike: the subject, or the window itself where that is unknown.
        table: recording and start_sample of each.
    """

    signals: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    table: pandas.DataFrame


def read_windows(store: Store, splits: Sequence[str], subject_of: Mapping[str, str]) -> TaskWindows:
    """Read all windows of some splits.

    Args:
        store: window store.
        splits: names of the splits.
        subject_of: recording -> subject.
    """
    signals, tables = [], []
    for split in splits:
        windows = store.event_windows(split)
        signals.append(windows.__getitems__(list(range(len(windows))))["signal"])
        tables.append(windows.table)
    table = pandas.concat(tables, ignore_index=True)
    labels, groups = table["label"].to_numpy(np.int64), window_groups(table, subject_of)
    return TaskWindows(np.concatenate(signals), labels, groups, table)


def token_variants(
    network: SSMDP,
    transform: SignalTransform,
    store: Store,
    settings: ProbedTask,
    parts: Parts,
    device: torch.device,
) -> Variants:
    """Make tokens of each statistic, and of all together: every token of every channel is a feature."""
    network = network.to(device)
    latents = Latents(backbone=settings.backbone, corpus=settings.corpus)
    pool = round(settings.pool_s * transform.rate_hz)

    def encode(batch: dict[str, torch.Tensor]) -> torch.Tensor:
        signals, ids = batch["signal"], store.montage.ids
        return signal_transform.tokens(
            network, transform, latents, signals, channels=ids, window=pool, statistics=STATISTICS, check=False
        )

    tokens = {
        name: batched(encode, ArrayDataset(signal=part.signals), settings.batch_size, device).numpy()
        for name, part in parts.items()
    }
    width = network.config.d_model
    taken = {statistic: slice(k * width, (k + 1) * width) for k, statistic in enumerate(STATISTICS)}
    taken[" and ".join(STATISTICS)] = slice(None)
    return {
        variant: {name: values[..., some].reshape(len(values), -1) for name, values in tokens.items()}
        for variant, some in taken.items()
    }


def raw_variants(store: Store, rate_hz: float, parts: Parts) -> Variants:
    """Take the samples themselves, at a low rate."""
    return {f"{rate_hz:g} Hz": {name: raw_samples(part.signals, store.sfreq, rate_hz) for name, part in parts.items()}}


def band_variants(store: Store, parts: Parts) -> Variants:
    """Compute log band powers, channel by channel and second by second."""
    powers = BandPowerRegression(len(store.channels), store.description.window, len(store.classes), store.sfreq)
    return {
        "log powers": {name: powers.features(torch.from_numpy(part.signals)).numpy() for name, part in parts.items()}
    }


def run_probe(several: Iterable[Variants], kinds: Sequence[str], parts: Parts, folds: int) -> TaskProbe:
    """Choose by the training windows, train on all of them, and classify the test windows.

    Args:
        several: variants of features, of each of several seeds.
        kinds: probes to choose from.
        parts: the training and the test windows.
        folds: folds of the cross-validation.
    """
    train, choices, predicted = parts["train"], [], []
    for variants in several:
        learned = {name: values["train"] for name, values in variants.items()}
        choice = choose(learned, kinds, train.labels, train.groups, folds)
        features = variants[choice.variant]
        predicted.append(probe(choice.probe, features["train"], train.labels, features["test"]))
        choices.append(choice)
    return TaskProbe(choices, np.stack(predicted))


def compute(
    store: Store,
    subject_of: Mapping[str, str],
    backbone_path: Path,
    settings: ProbedTask,
    device: torch.device,
    out: Path,
) -> pandas.DataFrame:
    """Probe a task, and write ``probes.csv``, ``differences.csv``, ``task.json`` and ``predictions.parquet``.

    Probes learn from the windows of training and validation; the test windows are looked at once.

    Args:
        store: window store of the corpus.
        subject_of: recording -> subject.
        backbone_path: folder of the frozen backbone.
        settings: settings of the task.
        device: where backbones run.
        out: folder to write to.

    Returns:
        the table of ``probes.csv``, a row for each features.

    Raises:
        InputError: the backbone knows other channels, or the training windows cannot be cross-validated.
    """
    backbone, transform = signal_transform.load(backbone_path)
    signal_transform.check_channels(transform, store.montage, str(backbone_path))
    train, test = read_windows(store, ("train", "validation"), subject_of), read_windows(store, ("test",), subject_of)
    parts = {"train": train, "test": test}
    untrained = (untrained_backbone(backbone, seed) for seed in settings.untrained_seeds)
    features: dict[str, Iterable[Variants]] = {
        PRETRAINED: [token_variants(backbone, transform, store, settings, parts, device)],
        UNTRAINED: (token_variants(network, transform, store, settings, parts, device) for network in untrained),
        BANDS: [band_variants(store, parts)],
        RAW: [raw_variants(store, settings.raw_rate_hz, parts)],
    }
    probes = {name: run_probe(several, PROBES_OF[name], parts, settings.folds) for name, several in features.items()}
    against = test.labels, test.groups, len(store.classes)
    out.mkdir()
    table = score_probes(probes, *against)
    write_table(out / "probes.csv", table)
    write_table(out / "differences.csv", differences_from_pretrained(probes, *against))
    facts = {
        "corpus": store.corpus,
        "classes": store.classes,
        "channels": store.montage.document(),
        "training_windows": len(train.labels),
        "test_windows": len(test.labels),
        "drawn": "recordings" if len(np.unique(test.groups)) < len(test.groups) else "windows",
        "groups": len(np.unique(test.groups)),
        "chance": chance_level(test.labels),
        "warnings": store.description.warnings or [],
    }
    (out / "task.json").write_text(json.dumps(facts, indent=2))
    predictions = test.table[["recording", "start_sample", "label"]].copy()
    for name, each in probes.items():
        for k, predicted in enumerate(each.predicted):
            predictions[f"{name} {k}"] = predicted
    predictions.to_parquet(out / "predictions.parquet", index=False)
    return table
