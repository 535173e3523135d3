"""What a trained classifier of events leaves behind: test predictions, metrics, learning curves."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.statistics.classification_metrics import prediction_metrics
from eegdiffusion.core.storage.result_facts import ResultFacts, write_result

PREDICTIONS = "predictions.parquet"
"""File of a classifier's folder: recording, row, start_sample, channel, label (0-based), p0, p1, ... of each window.

Of distinct windows that may be of several classes: recording, row, start_sample, channel of the first row, number of
``rows``, l0, l1, ... (0 or 1), p0, p1, ..., and c0, c1, ..., whether the probability reaches the class's threshold.
"""


def write_classifier_result(
    folder: Path,
    windows: pandas.DataFrame,
    labels: np.ndarray,
    probabilities: np.ndarray,
    curves: Sequence[Mapping[str, float]],
    facts: ResultFacts,
    more: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Write ``predictions.parquet``, ``metrics.json`` and ``curves.csv``.

    Args:
        folder: folder of the classifier; it is made when missing.
        windows: the test windows, in the order of the predictions.
        labels: recorded labels, (windows,), 0-based.
        probabilities: (windows, classes).
        curves: a row for each round of training.
        facts: what the classifier says of itself; the number of windows is added.
        more: further metrics.

    Returns:
        metric -> value.
    """
    folder.mkdir(parents=True, exist_ok=True)
    columns = {f"p{k}": probabilities[:, k] for k in range(probabilities.shape[1])}
    table = windows[["recording", "row", "start_sample", "channel"]].reset_index(drop=True)
    table.assign(label=labels, **columns).to_parquet(folder / PREDICTIONS, index=False)
    metrics = prediction_metrics(labels, probabilities.argmax(-1)) | dict(more or {})
    write_result(folder, replace(facts, windows=len(labels)), metrics, curves)
    return metrics


def write_multi_label_result(
    folder: Path,
    windows: pandas.DataFrame,
    labels: np.ndarray,
    probabilities: np.ndarray,
    thresholds: np.ndarray,
    curves: Sequence[Mapping[str, float]],
    facts: ResultFacts,
    metrics: Mapping[str, float],
) -> None:
    """Write ``predictions.parquet``, ``metrics.json`` and ``curves.csv`` of windows that may be of several classes.

    Args:
        folder: folder of the classifier; it is made when missing.
        windows: the distinct test windows, in the order of the predictions.
        labels: (windows, classes) of 0 and 1.
        probabilities: (windows, classes).
        thresholds: (classes,) least probability of each class.
        curves: a row for each round of training.
        facts: what the classifier says of itself; the number of windows is added.
        metrics: metric -> value.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = windows[["recording", "row", "start_sample", "channel", "rows"]].reset_index(drop=True)
    columns = {"l": labels, "p": probabilities, "c": probabilities >= thresholds}
    for letter, values in columns.items():
        table = table.assign(**{f"{letter}{k}": values[:, k] for k in range(values.shape[1])})
    table.to_parquet(folder / PREDICTIONS, index=False)
    write_result(folder, replace(facts, windows=len(labels)), metrics, curves)
