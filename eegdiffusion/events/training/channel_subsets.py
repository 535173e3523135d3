"""Subsets of a montage's channels, and what an LFT says of windows of which it sees no other channels."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas
import torch
from torch import Tensor

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.derivations import tcp_index
from eegdiffusion.core.signal.montages import Montage, packaged
from eegdiffusion.core.statistics.classification_metrics import bootstrap_interval, prediction_metrics
from eegdiffusion.core.training.classification_head import class_probabilities
from eegdiffusion.core.training.inference import batched
from eegdiffusion.events.models.lft import LFT
from eegdiffusion.events.results.tested_subsets import PREDICTIONS, TestedSubset, TestedSubsets, write_tested_subsets
from eegdiffusion.events.store.latent_cache import LatentCache
from eegdiffusion.events.training.drawn_tokens import DrawnTokens

NAMED = ("tcp20", "double_banana_16")
"""Montages of the package that an LFT is tested on where its own montage holds them."""

DRAWN = (8, 4)
"""Numbers of channels that are drawn at random, so that scores hold for whatever a recording has."""

DRAWS = 5
"""Sets of channels that are drawn of each number; the same at every call."""

REPLICATES = 1000


@dataclass(frozen=True)
class ChannelSubset:
    """A subset of a montage's channels.

    Attributes:
        name: ``all``, a montage of the package, or how many are drawn.
        draws: positions in the montage, in order; several sets of one size where they are drawn at random.
    """

    name: str
    draws: list[list[int]]

    @property
    def count(self) -> int:
        """Number of channels."""
        return len(self.draws[0])


def channel_subsets(montage: Montage) -> list[ChannelSubset]:
    """Return the subsets that an LFT is tested on, from all channels to the fewest.

    Args:
        montage: channels of the windows.
    """
    whole = list(range(len(montage.channels)))
    subsets = [ChannelSubset("all", [whole])]
    derivations = [tcp_index(name) for name in montage.names]
    for name in NAMED:
        wanted = {tcp_index(each if isinstance(each, str) else each.channel) for each in packaged()[name]}
        kept = [k for k in whole if derivations[k] in wanted]
        if len(kept) == len(wanted) < len(whole):
            subsets.append(ChannelSubset(name, [kept]))
    for count in [count for count in DRAWN if count < len(whole)]:
        rng = np.random.default_rng(count)
        draws = [sorted(rng.choice(len(whole), count, replace=False).tolist()) for _ in range(DRAWS)]
        subsets.append(ChannelSubset(f"{count} drawn at random", draws))
    return subsets


def classify_subsets(
    lft: LFT, tokens: LatentCache, subsets: list[ChannelSubset], batch_size: int, device: torch.device
) -> dict[str, np.ndarray]:
    """Classify a whole split in order, on each subset of its channels.

    Args:
        lft: the classifier.
        tokens: tokens of the split.
        subsets: positions of channels.
        batch_size: windows that go through the LFT at once.
        device: where it runs.

    Returns:
        subset -> (draws, windows) the most probable class, 0-based.
    """
    lft = lft.to(device).eval()

    def classify(batch: dict[str, Tensor]) -> dict[str, Tensor]:
        values = batch["tokens"]
        return {
            subset.name: torch.stack([_classes(lft, values, kept) for kept in subset.draws], 1) for subset in subsets
        }

    return {name: classes.numpy().T for name, classes in batched(classify, tokens, batch_size, device).items()}


def _classes(lft: LFT, tokens: Tensor, kept: list[int]) -> Tensor:
    return class_probabilities(lft(tokens[:, :, :, kept])).argmax(-1)


def score_subsets(
    lft: LFT,
    montage: Montage,
    splits: Mapping[str, LatentCache | DrawnTokens],
    recordings: Mapping[str, np.ndarray],
    classes: int,
    batch_size: int,
    device: torch.device,
    channel_dropout: dict | None,
    folder: Path,
) -> TestedSubsets | None:
    """Score an LFT on subsets of its channels, and write ``subsets.json`` and ``subset_predictions.parquet``.

    Args:
        lft: the classifier.
        montage: channels of the windows.
        splits: tokens of each split to score on.
        recordings: split -> (windows,), the recording of each.
        classes: number of classes.
        batch_size: windows that go through the LFT at once.
        device: where it runs.
        channel_dropout: fields of the setting that it was trained with.
        folder: folder of the classifier.

    Returns:
        the subsets with their scores; None, and nothing is written, for an LFT that takes all channels alone, and for
        tokens that are drawn at every pass, whose noise would stand between the scores.
    """
    cached = {split: tokens for split, tokens in splits.items() if isinstance(tokens, LatentCache)}
    if lft.config.fusion != "cross_attention" or len(cached) < len(splits):
        return None
    subsets, names = channel_subsets(montage), montage.names
    scores: dict[str, dict[str, dict[str, float]]] = {subset.name: {} for subset in subsets}
    tables = []
    for split, tokens in cached.items():
        for name, predicted in classify_subsets(lft, tokens, subsets, batch_size, device).items():
            scores[name][split] = _score(tokens.labels, predicted, recordings[split], classes)
            tables += [_predictions(split, name, draw, each) for draw, each in enumerate(predicted)]
    tested = [
        TestedSubset(
            name=subset.name,
            count=subset.count,
            channels=[names[k] for k in subset.draws[0]] if len(subset.draws) == 1 else None,
            draws=len(subset.draws),
            scores=scores[subset.name],
        )
        for subset in subsets
    ]
    result = TestedSubsets(names, channel_dropout, tested)
    folder.mkdir(parents=True, exist_ok=True)
    write_tested_subsets(folder, result)
    pandas.concat(tables, ignore_index=True).to_parquet(folder / PREDICTIONS, index=False)
    return result


def _predictions(split: str, subset: str, draw: int, classes: np.ndarray) -> pandas.DataFrame:
    return pandas.DataFrame({"split": split, "subset": subset, "draw": draw, "predicted": classes.astype(np.int16)})


def _score(labels: np.ndarray, predicted: np.ndarray, recordings: np.ndarray, classes: int) -> dict[str, float]:
    """Return the metrics, means over draws, and the interval of the balanced accuracy where there can be one."""
    each = [prediction_metrics(labels, draw) for draw in predicted]
    means = {name: float(np.mean([metrics[name] for metrics in each])) for name in each[0]}
    try:
        interval = bootstrap_interval(labels, predicted, recordings, classes, replicates=REPLICATES)
    except InputError:  # a split of one recording has none
        return means
    return means | {"low": interval.low, "high": interval.high}
