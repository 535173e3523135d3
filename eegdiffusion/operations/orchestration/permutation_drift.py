"""How far new recordings lie from those that models were trained on.

Subjects are the unit: two parts of their recordings are taken to differ only if few other ways to divide the same
subjects into parts of these sizes make anything differ as much (a permutation test of the largest deviation: Westfall
and Young, Resampling-Based Multiple Testing, 1993). So without drift one table in twenty names something, however many
features it has.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import pandas

from eegdiffusion.core.signal.spectra import BANDS, SEGMENT_S, band_power, mean_density

BINS = 10
FLOOR = 0.005
"""Share that is added to each bin, so that an empty one does not make the index infinite."""

NOISE = 0.02
"""log10 of the power: electrodes whose power varies less between subjects count as varying so much."""

DIVISIONS = 2000
LEVEL = 0.05
"""Probability that anything at all is taken for drift where there is none."""


@dataclass(frozen=True)
class Profile:
    """What is compared of a recording.

    Attributes:
        subject: subject of the recording.
        electrodes: names.
        bands: log10 of the power in uV^2 of each band, (electrodes, bands).
        amplitude: log10 of the absolute deviation from an electrode's mean in uV, (values,).
        channels: names of all its channels.
    """

    subject: str
    electrodes: tuple[str, ...]
    bands: np.ndarray
    amplitude: np.ndarray
    channels: frozenset[str]

    @property
    def electrode_power(self) -> np.ndarray:
        """log10 of each electrode's power over that of the median electrode, (electrodes,)."""
        power = np.log10((10**self.bands).sum(axis=1))
        return power - np.median(power)

    def power_of(self, electrodes: Sequence[str]) -> np.ndarray:
        """log10 of the power of some electrodes over that of the median electrode of them all, (electrodes,)."""
        return self.electrode_power[[self.electrodes.index(name) for name in electrodes]]


def profile(
    segments: np.ndarray, rate_hz: float, subject: str, electrodes: Sequence[str], channels: Iterable[str]
) -> Profile:
    """Describe a recording by a few segments.

    Epochs of a fraction of a second, or of few samples a second, have no power in the bands that they cannot show.

    Args:
        segments: (segments, electrodes, samples), uV.
        rate_hz: sampling rate.
        subject: subject of the recording.
        electrodes: names.
        channels: names of all channels of the recording.
    """
    centred = segments - segments.mean(axis=-1, keepdims=True)
    length = min(round(SEGMENT_S * rate_hz), segments.shape[-1])
    power = band_power(*mean_density(centred.transpose(1, 0, 2), rate_hz, length))
    # A flat electrode has no logarithm; a hundredth of a microvolt is below what any amplifier resolves.
    amplitude = np.log10(np.maximum(np.abs(centred[..., ::10]), 1e-2)).ravel()
    return Profile(subject, tuple(electrodes), np.log10(np.maximum(power, 1e-6)), amplitude, frozenset(channels))


def population_stability(reference: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return the population stability index of shares (..., bins): sum of (q - p) ln(q / p) over the bins."""
    p, q = ((shares + FLOOR) / (1 + BINS * FLOOR) for shares in (reference, observed))
    return ((q - p) * np.log(q / p)).sum(axis=-1)


def _subjects(profiles: list[Profile]) -> list[list[Profile]]:
    by_subject: dict[str, list[Profile]] = {}
    for recording in profiles:
        by_subject.setdefault(recording.subject, []).append(recording)
    return list(by_subject.values())


def _divisions(known: int, new: int, rng: np.random.Generator) -> np.ndarray:
    """Return ways to choose ``new`` subjects of all, (divisions, subjects) of bool; the first chooses the last ones."""
    count = known + new
    real = np.arange(count) >= known
    if comb(count, new) <= DIVISIONS:
        chosen = np.zeros((comb(count, new), count), bool)
        for row, members in zip(chosen, combinations(range(count - 1, -1, -1), new), strict=True):
            row[list(members)] = True
        return chosen
    return np.concatenate([real[None], rng.permuted(np.tile(real, (DIVISIONS - 1, 1)), axis=1)])


def _means(values: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the means over the subjects left and over those chosen: (subjects, ...) -> two (divisions, ...)."""
    left, taken = (np.tensordot(part / part.sum(axis=1, keepdims=True), values, 1) for part in (~chosen, chosen))
    return left, taken


def _histogram_scores(values: list[list[np.ndarray]], chosen: np.ndarray) -> np.ndarray:
    """Index of each division, from each subject's recordings' values; subjects, and recordings of one, count alike."""
    pooled = np.concatenate([recording for recordings in values for recording in recordings])
    inner_edges = np.quantile(pooled, np.linspace(0, 1, BINS + 1)[1:-1])

    def shares(recording: np.ndarray) -> np.ndarray:
        return np.bincount(np.searchsorted(inner_edges, recording), minlength=BINS) / len(recording)

    of_subjects = np.stack([np.mean([shares(recording) for recording in recordings], axis=0) for recordings in values])
    return population_stability(*_means(of_subjects, chosen))


def _mean_scores(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the index of normal distributions of one variance: (subjects, features) -> (divisions, features)."""
    left, right = _means(values, chosen)
    new, count = chosen.sum(axis=1)[:, None], len(values)
    between = (left - right) ** 2 * new * (count - new) / count
    within = ((values - values.mean(axis=0)) ** 2).sum(axis=0) - between
    return (left - right) ** 2 / np.maximum(within / max(count - 2, 1), NOISE**2)


def compare(corpus: list[Profile], drop: list[Profile], limit: float, seed: int = 0) -> pandas.DataFrame:
    """Compare a drop of recordings with the corpus.

    Args:
        corpus: a profile for each known recording, at least one.
        drop: a profile for each new recording, at least one; electrodes that all recordings have are compared.
        limit: scores above it, and beyond chance, count as drift. For the index 0.1 is called small, 0.25 large.
        seed: seed of the divisions that are drawn, where there are more than ``DIVISIONS``.

    Returns:
        a row for each band (log10 of the power) and the amplitude (log10): ``score`` is the population stability index
        over the deciles of all values; for each electrode (log10 of its power over the median electrode's): the same
        divergence of two normal distributions; for each channel that some lack (share of the recordings that have
        it): the difference. ``feature``, ``corpus`` and ``drop`` (means over subjects), ``score``, ``p`` (share of
        the divisions in which the largest deviation of all features is at least as large) and ``drifted``.
    """
    known, new = _subjects(corpus), _subjects(drop)
    subjects = known + new
    chosen = _divisions(len(known), len(new), np.random.default_rng(seed))

    def subject_means(feature: Callable[[Profile], np.ndarray]) -> np.ndarray:
        return np.stack([np.mean([feature(recording) for recording in recordings], axis=0) for recordings in subjects])

    names, means, scores = [], [], []
    histograms = {
        f"{band} power": [[recording.bands[:, k] for recording in recordings] for recordings in subjects]
        for k, band in enumerate(BANDS)
    }
    histograms["amplitude"] = [[recording.amplitude for recording in recordings] for recordings in subjects]
    for name, values in histograms.items():
        names.append(name)
        means.append(np.stack([np.mean([value.mean() for value in of_one], axis=0) for of_one in values])[:, None])
        scores.append(_histogram_scores(values, chosen)[:, None])
    common = set.intersection(*({*p.electrodes} for p in corpus + drop))
    electrodes = [name for name in corpus[0].electrodes if name in common]
    names += [f"electrode {name}" for name in electrodes]
    means.append(subject_means(lambda p: p.power_of(electrodes)))
    scores.append(_mean_scores(means[-1], chosen))
    channels = sorted(frozenset.union(*(p.channels for p in corpus + drop)))
    names += [f"channel {name}" for name in channels]
    means.append(subject_means(lambda p: np.array([name in p.channels for name in channels], float)))
    scores.append(np.abs(np.subtract(*_means(means[-1], chosen))))

    score = np.concatenate(scores, axis=1)
    # Roots are less skewed than squares, so that features of one and of many degrees of freedom have like tails.
    root = np.sqrt(score)
    deviation = (root - root.mean(axis=0)) / np.where(root.std(axis=0) > 1e-9, root.std(axis=0), np.inf)
    largest = deviation.max(axis=1)
    p = (largest[:, None] >= deviation[0] - 1e-9).mean(axis=0)
    left, right = (part[0] for part in _means(np.concatenate(means, axis=1), chosen[:1]))
    table = pandas.DataFrame({"feature": names, "corpus": left, "drop": right, "score": score[0], "p": p})
    table = table[~table["feature"].str.startswith("channel ") | (table[["corpus", "drop"]].min(axis=1) < 1 - 1e-9)]
    return table.assign(drifted=(table["score"] > limit) & (table["p"] <= LEVEL)).reset_index(drop=True)
