"""Trains and tests probes of several features, on all labels, on fractions of them, and on some of the channels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas

from eegdiffusion.core.statistics.classification_metrics import bootstrap_interval, prediction_metrics
from eegdiffusion.events.probes.label_fractions import draw_labelled
from eegdiffusion.events.probes.probes import probe

COLUMNS = ["features", "probe", "fraction", "channels"]
"""What tells one row of the table from another."""


@dataclass(frozen=True)
class LabelledSplits:
    """Labels of training and test windows, and whose they are.

    Attributes:
        train_labels, test_labels: (windows,) int64, 0-based.
        train_subjects, test_subjects: (windows,).
        classes: number of classes.
    """

    train_labels: np.ndarray
    train_subjects: np.ndarray
    test_labels: np.ndarray
    test_subjects: np.ndarray
    classes: int


@dataclass(frozen=True)
class ProbeResult:
    """A probe, trained on several draws of labels.

    Attributes:
        features: name of what it sees.
        probe: its kind.
        fraction: share of the training labels.
        channels: name of the channels.
        predicted: (draws, test windows).
    """

    features: str
    probe: str
    fraction: float
    channels: str
    predicted: np.ndarray


def run_probe(
    name: str,
    features: Mapping[str, np.ndarray],
    kind: str,
    splits: LabelledSplits,
    fraction: float = 1.0,
    draws: int = 1,
    channels: str = "all",
) -> ProbeResult:
    """Train a probe on draws of labels, and test each on the whole test split.

    Args:
        name: name of the features.
        features: (windows, features) of the splits ``train`` and ``test``.
        kind: one of :data:`~eegdiffusion.events.probes.probes.PROBES`.
        splits: labels and subjects.
        fraction: share of the training labels; 1 takes all, and has one draw.
        draws: draws of labels, the same for all features and probes.
        channels: name of the channels that the features are of.
    """
    train, test = features["train"], features["test"]
    predicted = []
    for draw in range(1 if fraction == 1 else draws):
        rng = np.random.default_rng((draw, round(1e6 * fraction)))
        rows = np.arange(len(train))
        if fraction < 1:
            rows = draw_labelled(splits.train_labels, splits.train_subjects, fraction, rng)
        predicted.append(probe(kind, train[rows], splits.train_labels[rows], test))
    return ProbeResult(name, kind, fraction, channels, np.stack(predicted))


def probe_table(results: Sequence[ProbeResult], splits: LabelledSplits) -> pandas.DataFrame:
    """Return a row for each probe: metrics, mean over draws, and the interval of the balanced accuracy.

    The interval draws test subjects and draws of labels, see
    :func:`~eegdiffusion.core.statistics.classification_metrics.bootstrap_interval`.
    """
    rows = []
    for result in results:
        scores = pandas.DataFrame([prediction_metrics(splits.test_labels, each) for each in result.predicted])
        interval = bootstrap_interval(splits.test_labels, result.predicted, splits.test_subjects, splits.classes)
        rows.append(
            {column: getattr(result, column) for column in COLUMNS}
            | {"draws": len(result.predicted)}
            | scores.mean().to_dict()
            | {"low": interval.low, "high": interval.high}
        )
    return pandas.DataFrame(rows)


def find_result(results: Sequence[ProbeResult], values: Mapping[str, object]) -> ProbeResult:
    """Return the one result with these values of :data:`COLUMNS`."""
    (result,) = [each for each in results if all(getattr(each, name) == value for name, value in values.items())]
    return result
