"""Results of the probes of a task."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas

from eegdiffusion.core.runtime.files import require_file


@dataclass(frozen=True)
class TaskResults:
    """What probes said of the test windows of a task.

    Attributes:
        table: a row for each features: variant, probe, seeds, cross_validation, metrics, low, high.
        differences: against, and the difference of the pretrained backbone's balanced accuracy: mean, low, high.
        facts: corpus, classes, channels, training_windows, test_windows, drawn, groups, chance, warnings.
    """

    table: pandas.DataFrame
    differences: pandas.DataFrame
    facts: dict[str, Any]

    @property
    def best(self) -> pandas.Series:
        """The row with the highest balanced accuracy."""
        return self.table.loc[self.table["balanced_accuracy"].idxmax()]


def read_task(folder: Path) -> TaskResults:
    """Read ``probes.csv``, ``differences.csv`` and ``task.json`` of one entry of ``probe_tasks``."""
    table, differences = (pandas.read_csv(require_file(folder / f"{name}.csv")) for name in ("probes", "differences"))
    return TaskResults(table, differences, json.loads(require_file(folder / "task.json").read_text()))
