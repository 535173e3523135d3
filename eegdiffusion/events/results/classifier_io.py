"""What a trained classifier of events leaves behind: test predictions, metrics, learning curves."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.statistics.classification_metrics import prediction_metrics
from eegdiffusion.core.storage.result_facts import ResultFacts, write_result

PREDICTIONS = "predictions.parquet"
"""File of a classifier's folder: recording, row, start_sample, channel, label (0-based), p0, p1, ... of each window."""


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
