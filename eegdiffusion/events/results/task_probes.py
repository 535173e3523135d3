"""Results of the probes of a task."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas

from eegdiffusion.core.runtime.files import require_file
from eegdiffusion.core.storage.parquet_file import read_parquet


@dataclass(frozen=True)
class TaskResults:
    """What probes said of the test windows of a task.

    Attributes:
        table: a row for each features: variant, probe, seeds, cross_validation, metrics, low, high.
        differences: against, and the difference of the pretrained backbone's balanced accuracy: mean, low, high.
        predictions: recording, start_sample and label of the test windows, and predicted labels ``<features> <seed>``.
        facts: corpus, classes, channels, training_windows, test_windows, drawn, groups, chance, warnings.
    """

    table: pandas.DataFrame
    differences: pandas.DataFrame
    predictions: pandas.DataFrame
    facts: dict[str, Any]

    @property
    def best(self) -> pandas.Series:
        """The row with the highest balanced accuracy."""
        return self.table.loc[self.table["balanced_accuracy"].idxmax()]


def read_task(folder: Path) -> TaskResults:
    """Read what ``probe_tasks`` wrote of an entry: two tables, predictions, and ``task.json``."""
    table, differences = (pandas.read_csv(require_file(folder / f"{name}.csv")) for name in ("probes", "differences"))
    predictions = read_parquet(require_file(folder / "predictions.parquet"))
    return TaskResults(table, differences, predictions, json.loads(require_file(folder / "task.json").read_text()))
