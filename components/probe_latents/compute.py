"""Probes what a pretrained backbone's latents hold that those of an untrained one, and band powers, do not."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pandas
import torch
from torch import Tensor

from components.probe_latents.settings import ProbeLatents
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.statistics.classification_metrics import paired_bootstrap
from eegdiffusion.core.storage.batched_dataset import BatchedDataset
from eegdiffusion.core.storage.spreadsheet import write_table
from eegdiffusion.core.storage.subset import Subset
from eegdiffusion.core.training.inference import batched
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.models.band_power_regression import BandPowerRegression
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.probes.channel_subsets import usual_subsets
from eegdiffusion.events.probes.feature_names import BANDS, PRETRAINED, UNTRAINED
from eegdiffusion.events.probes.probe_table import (
    LabelledSplits,
    ProbeResult,
    find_result,
    probe_table,
    run_probe,
)
from eegdiffusion.events.probes.token_features import token_features
from eegdiffusion.events.probes.untrained_backbone import untrained_backbone
from eegdiffusion.events.store.latent_cache import LatentCache, make_recipe
from eegdiffusion.events.store.window_store import Store

SPLITS = ("train", "test")


def _features_of(
    data: BatchedDataset,
    tokens: Callable[[dict[str, Tensor]], Tensor],
    channels: Mapping[str, Sequence[int] | None],
    batch_size: int,
    device: torch.device,
) -> dict[str, np.ndarray]:
    """Make features batch by batch, so that no more than a batch's tokens are held: channels -> (windows, features)."""

    def reduce(batch: dict[str, Tensor]) -> dict[str, Tensor]:
        values = tokens(batch).numpy(force=True)
        return {name: torch.from_numpy(token_features(values, chosen)) for name, chosen in channels.items()}

    return {name: values.numpy() for name, values in batched(reduce, data, batch_size, device).items()}


def untrained_features(
    store: Store,
    split: str,
    path: Path,
    settings: ProbeLatents,
    latents: Latents,
    channels: Mapping[str, Sequence[int] | None],
    device: torch.device,
) -> dict[str, np.ndarray]:
    """Take each distinct window of a split once through an untrained copy of a backbone.

    Args:
        store: window store.
        split: name of the split.
        path: folder of the pretrained backbone, whose sizes and signal transform the copy has.
        settings: seed of its weights, and batch size.
        latents: which latents.
        channels: name -> indices of channels.
        device: where it runs.

    Returns:
        channels -> (windows, features), a row for each window of the split.
    """
    backbone, transform = signal_transform.load(path)
    network, windows = untrained_backbone(backbone, settings.untrained_seed).to(device), store.event_windows(split)
    rows, window = windows.distinct()

    def encode(batch: dict[str, Tensor]) -> Tensor:
        signals, ids = batch["signal"], store.montage.ids
        return signal_transform.tokens(network, transform, latents, signals, channels=ids, check=False)

    features = _features_of(Subset(windows, rows), encode, channels, settings.batch_size, device)
    return {name: values[window] for name, values in features.items()}


def _powers_of(powers: BandPowerRegression, used: list[int], batch: dict[str, Tensor]) -> Tensor:
    return powers.features(batch["signal"][:, used])


def band_features(
    store: Store, split: str, channels: Mapping[str, Sequence[int] | None], batch_size: int
) -> dict[str, np.ndarray]:
    """Compute log band powers, channel by channel and second by second: channels -> (windows, features)."""
    features = {}
    for name, chosen in channels.items():
        used = list(range(len(store.channels)) if chosen is None else chosen)
        powers = BandPowerRegression(len(used), store.description.window, len(store.classes), store.sfreq)
        compute_powers = partial(_powers_of, powers, used)
        features[name] = batched(compute_powers, store.event_windows(split), batch_size).numpy()
    return features


def channel_indices(store: Store, subsets: Mapping[str, Sequence[str]] | None) -> dict[str, list[int] | None]:
    """Return the indices of named channels; ``all`` is first.

    Args:
        store: window store.
        subsets: name -> channels; None: those of :func:`.channel_subsets.usual_subsets`.

    Raises:
        InputError: the corpus lacks a channel.
    """
    subsets = usual_subsets(store.channels) if subsets is None else subsets
    for name, derivations in subsets.items():
        if missing := [each for each in derivations if each not in store.channels]:
            raise InputError(
                f"params.yaml: probe_latents.channels.{name}: must be channels of the corpus, "
                f"{', '.join(store.channels)} (found {', '.join(missing)})"
            )
    return {"all": None} | {name: [store.channels.index(each) for each in these] for name, these in subsets.items()}


def run_probes(
    features: Mapping[str, Mapping[str, Mapping[str, np.ndarray]]], settings: ProbeLatents, splits: LabelledSplits
) -> list[ProbeResult]:
    """Train and test all probes.

    Args:
        features: name -> channels -> split -> (windows, features).
        settings: probes, fractions and draws.
        splits: labels and subjects.
    """
    results = []
    for name, by_channels in features.items():
        kinds = ["lda"] if name == BANDS else list(settings.probes)
        results += [run_probe(name, by_channels["all"], kind, splits) for kind in kinds]
        for fraction in [each for each in settings.fractions if each < 1]:
            results.append(run_probe(name, by_channels["all"], kinds[0], splits, fraction, settings.draws))
        for channels in [each for each in by_channels if each != "all"]:
            results.append(run_probe(name, by_channels[channels], kinds[0], splits, channels=channels))
    return results


def worth(results: Sequence[ProbeResult], settings: ProbeLatents, splits: LabelledSplits) -> list[dict]:
    """Compare the pretrained backbone with the untrained one and with band powers, on each share of the labels.

    Returns:
        ``fraction``, ``against``, and the paired difference of the balanced accuracy: ``mean``, ``low``, ``high``.
    """
    rows = []
    for fraction in sorted({1.0, *settings.fractions}):
        same = {"fraction": fraction, "channels": "all"}
        first = find_result(results, same | {"features": PRETRAINED, "probe": settings.probes[0]})
        for other, kind in ((UNTRAINED, settings.probes[0]), (BANDS, "lda")):
            second = find_result(results, same | {"features": other, "probe": kind})
            difference = paired_bootstrap(
                splits.test_labels, first.predicted, second.predicted, splits.test_subjects, splits.classes
            )
            rows.append({"fraction": fraction, "against": other} | asdict(difference))
    return rows


def compute(
    store: Store,
    cache: Path,
    subjects: Mapping[str, str],
    settings: ProbeLatents,
    latents: Latents,
    device: torch.device,
    out: Path,
) -> pandas.DataFrame:
    """Probe latents, and write ``probes.csv`` and ``worth.json``.

    Args:
        store: window store of the corpus.
        cache: folder of the latent cache.
        subjects: recording -> subject.
        settings: probes, fractions, draws and channels.
        latents: what the cache holds.
        device: where the untrained backbone runs.
        out: folder to write to.

    Returns:
        the table of ``probes.csv``, a row for each probe.

    Raises:
        InputError: the cache is of another recipe, its tokens are drawn at every pass, or a derivation is missing.
    """
    if latents.noise == "random":
        raise InputError("params.yaml: probe_latents: must be of cached latents (found noise 'random')")
    channels = channel_indices(store, settings.channels)
    recipe = make_recipe(asdict(latents), cache / "backbone", store.fingerprint, store.montage.ids)
    features: dict[str, dict[str, dict[str, np.ndarray]]] = {
        name: {chosen: {} for chosen in channels} for name in (PRETRAINED, UNTRAINED, BANDS)
    }
    for split in SPLITS:
        cached = LatentCache(cache, split, recipe)
        by_name = {
            PRETRAINED: _features_of(cached, lambda batch: batch["tokens"], channels, 256, torch.device("cpu")),
            UNTRAINED: untrained_features(store, split, cache / "backbone", settings, latents, channels, device),
            BANDS: band_features(store, split, channels, 256),
        }
        for name, by_channels in by_name.items():
            for chosen, values in by_channels.items():
                features[name][chosen][split] = values
    train, test = (store.event_windows(split) for split in SPLITS)
    train_subjects, test_subjects = (windows.table["recording"].map(subjects).to_numpy() for windows in (train, test))
    labelled = LabelledSplits(train.labels, train_subjects, test.labels, test_subjects, len(store.classes))
    results = run_probes(features, settings, labelled)
    out.mkdir()
    table = probe_table(results, labelled)
    write_table(out / "probes.csv", table)
    (out / "worth.json").write_text(json.dumps(worth(results, settings, labelled), indent=2))
    return table
