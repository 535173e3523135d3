"""What a trained classifier leaves behind: test predictions, metrics, learning curves."""

import json
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.statistics.classification_metrics import prediction_metrics


def write(
    path: Path,
    windows: pandas.DataFrame,
    labels: np.ndarray,
    probabilities: np.ndarray,
    curves: list[dict[str, float]],
    facts: dict[str, object],
) -> dict[str, float]:
    """Write ``predictions.parquet``, ``metrics.json`` and ``curves.csv``.

    Args:
        path: folder, made when missing.
        windows: the test windows, in the order of the predictions.
        labels: recorded labels, (windows,).
        probabilities: (windows, classes).
        curves: one row a round.
        facts: further fields of ``metrics.json``, e.g. seed and number of parameters.

    Returns:
        the metrics.
    """
    path.mkdir(parents=True, exist_ok=True)
    columns = {f"p{k}": probabilities[:, k] for k in range(probabilities.shape[1])}
    table = windows[["recording", "row", "start_sample", "channel"]].reset_index(drop=True)
    table.assign(label=labels, **columns).to_parquet(path / "predictions.parquet", index=False)
    pandas.DataFrame(curves).to_csv(path / "curves.csv", index=False)
    metrics = prediction_metrics(labels, probabilities.argmax(-1))
    document = {"split": "test", "windows": len(labels), **facts, **metrics}
    (path / "metrics.json").write_text(json.dumps(document, indent=2))
    return metrics
