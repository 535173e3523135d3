"""Results of LFTs that were trained for a task, beside those of frozen features on the same windows."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.files import require_file
from eegdiffusion.core.statistics.classification_metrics import ClassifierDifference, paired_bootstrap
from eegdiffusion.events.results.classifier_io import PREDICTIONS
from eegdiffusion.events.results.task_probes import TaskResults

TASK = "task.json"
"""File of a task's folder that says what was learned and tested, and how sure the score is."""

WINDOW = ["recording", "start_sample", "label"]
"""Columns that say which window a prediction is of."""


@dataclass(frozen=True)
class FinetunedTask:
    """LFTs of all seeds, tested on a task.

    Attributes:
        facts: corpus, classes, head, left_out, training_windows, test_windows, chance, channels, interval, groups,
            warnings.
        metrics: a row for each seed.
        windows: test windows, one a row: recording, start_sample, label (0-based).
        predicted: (seeds, test windows) most probable classes.
    """

    facts: dict[str, Any]
    metrics: pandas.DataFrame
    windows: pandas.DataFrame
    predicted: np.ndarray

    def difference(self, predicted: np.ndarray) -> ClassifierDifference:
        """Compare the LFT's balanced accuracy with another classifier's, (seeds, test windows) of the same windows."""
        labels, groups = self.windows["label"].to_numpy(), np.array(self.facts["groups"])
        return paired_bootstrap(labels, self.predicted, predicted, groups, len(self.facts["classes"]))


def read_finetuned_task(folder: Path, seeds: list[int]) -> FinetunedTask:
    """Read what ``finetune_tasks`` wrote of a task.

    Args:
        folder: folder of the task.
        seeds: seeds of its trainings.

    Raises:
        InputError: a result is missing.
    """
    facts = json.loads(require_file(folder / TASK).read_text())
    folders = [folder / f"seed-{seed}" for seed in seeds]
    documents = [json.loads(require_file(each / "metrics.json").read_text()) for each in folders]
    tables = [pandas.read_parquet(require_file(each / PREDICTIONS)) for each in folders]
    probabilities = [[f"p{k}" for k in range(len(facts["classes"]))]] * len(tables)
    predicted = [table[names].to_numpy().argmax(1) for table, names in zip(tables, probabilities, strict=True)]
    names = [name for name, value in documents[0].items() if isinstance(value, float)]
    metrics = pandas.DataFrame([{name: each[name] for name in names} for each in documents], index=seeds)
    return FinetunedTask(facts, metrics, tables[0][WINDOW], np.stack(predicted))


def differences_from_probes(task: FinetunedTask, probes: TaskResults) -> Iterator[tuple[str, ClassifierDifference]]:
    """Compare an LFT with each kind of frozen features on the same windows: (features, LFT minus features).

    Raises:
        InputError: the probes were tested on other windows.
    """
    ours, theirs = (table[WINDOW].reset_index(drop=True).astype(str) for table in (task.windows, probes.predictions))
    if not ours.equals(theirs):
        raise InputError("probe_tasks and finetune_tasks: must be tested on the same windows; run `dvc repro` for both")
    for features in probes.table["features"]:
        columns = [name for name in probes.predictions if name.rpartition(" ")[0] == features]
        yield features, task.difference(probes.predictions[columns].to_numpy().T)
