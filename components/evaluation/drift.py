"""How far new recordings lie from those that models were trained on.

Recordings are the unit: of few of them, any distribution differs from the corpus by chance. What chance does is
measured by drawing as many recordings from the corpus itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas

from components.evaluation.spectra import BANDS, band_power, welch

BINS = 10
DRAWS = 200
CHANCE = 0.95
"""Quantile of the score over drawn drops, above which a score is not taken for chance."""


@dataclass(frozen=True)
class Profile:
    """What is compared of a recording.

    Attributes:
        bands: log10 of the power in uV^2 of each band, (electrodes, bands).
        amplitude: log10 of the absolute deviation from an electrode's mean in uV, (values,).
        channels: names of all its channels.
    """

    bands: np.ndarray
    amplitude: np.ndarray
    channels: frozenset[str]


def profile(segments: np.ndarray, rate_hz: float, channels: Sequence[str]) -> Profile:
    """Describe a recording by a few segments.

    Args:
        segments: (segments, electrodes, samples), uV.
        rate_hz: sampling rate.
        channels: names of all channels of the recording.

    Raises:
        InputError: the segments are too short, or sampled too slowly, for a spectrum.
    """
    centred = segments - segments.mean(axis=-1, keepdims=True)
    power = band_power(*welch(centred.transpose(1, 0, 2), rate_hz))
    # A flat electrode has no logarithm; a hundredth of a microvolt is below what any amplifier resolves.
    amplitude = np.log10(np.maximum(np.abs(centred[..., ::10]), 1e-2)).ravel()
    return Profile(np.log10(np.maximum(power, 1e-6)), amplitude, frozenset(channels))


def population_stability(reference: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Population stability index of counts (..., bins): sum of (q - p) ln(q / p) over the bins.

    Half a count is added to each bin, so that an empty one does not make it infinite.
    """
    p, q = ((counts + 0.5) / (counts + 0.5).sum(axis=-1, keepdims=True) for counts in (reference, found))
    return ((q - p) * np.log(q / p)).sum(axis=-1)


def _rows(counts: np.ndarray, drop: np.ndarray, draws: np.ndarray) -> tuple[float, float]:
    """Score of a drop and what chance reaches; counts (recordings, bins) of the corpus and of the drop."""
    score = population_stability(counts.sum(axis=0), drop.sum(axis=0))
    by_chance = population_stability(counts.sum(axis=0), counts[draws].sum(axis=1))
    return float(score), float(np.quantile(by_chance, CHANCE))


def _counts(corpus: list[np.ndarray], drop: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Histograms of each recording over the deciles of the corpus."""
    inner = np.quantile(np.concatenate(corpus), np.linspace(0, 1, BINS + 1)[1:-1])
    return tuple(
        np.stack([np.bincount(np.searchsorted(inner, values), minlength=BINS) for values in part])
        for part in (corpus, drop)
    )


def compare(corpus: list[Profile], drop: list[Profile], limit: float, seed: int = 0) -> pandas.DataFrame:
    """Compare a drop of recordings with the corpus.

    Args:
        corpus, drop: a profile for each recording, at least one in both.
        limit: scores above it, and above chance, count as drift. For the index 0.1 is called small, 0.25 large.
        seed: of the draws.

    Returns:
        a row for each band (log10 of the power), the amplitude (log10), and each channel (the share of the recordings
        that have it): ``feature``, ``corpus`` and ``drop`` (means), ``score`` (population stability index; for a
        channel the difference of the shares), ``by_chance`` (what 95 % of drops of as many recordings of the corpus
        stay below) and ``drifted``.
    """
    draws = np.random.default_rng(seed).integers(len(corpus), size=(DRAWS, len(drop)))
    features = {
        f"{band} power": ([p.bands[:, k] for p in corpus], [p.bands[:, k] for p in drop])
        for k, band in enumerate(BANDS)
    }
    features["amplitude"] = ([p.amplitude for p in corpus], [p.amplitude for p in drop])
    rows = []
    for name, (known, new) in features.items():
        score, chance = _rows(*_counts(known, new), draws)
        means = {"corpus": np.concatenate(known).mean(), "drop": np.concatenate(new).mean()}
        rows.append({"feature": name} | means | {"score": score, "by_chance": chance})
    for channel in sorted(frozenset.union(*(p.channels for p in corpus + drop))):
        known, new = (np.array([channel in p.channels for p in part]) for part in (corpus, drop))
        chance = np.quantile(np.abs(known[draws].mean(axis=1) - known.mean()), CHANCE)
        means = {"corpus": known.mean(), "drop": new.mean()}
        score = abs(new.mean() - known.mean())
        rows.append({"feature": f"channel {channel}"} | means | {"score": score, "by_chance": chance})
    table = pandas.DataFrame(rows)
    return table.assign(drifted=(table["score"] > limit) & (table["score"] > table["by_chance"]))
