"""Results of LFTs that were trained for a task, beside those of frozen features on the same windows."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.files import require_file
from eegdiffusion.core.statistics.classification_metrics import (
    ClassifierDifference,
    Interval,
    bootstrap_interval,
    paired_bootstrap,
)
from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.events.results.classifier_io import PREDICTIONS
from eegdiffusion.events.results.task_probes import TaskResults

TASK = "task.json"
"""File of a task's folder that says what was learned and tested, and how sure the score is."""

WINDOW = ["recording", "start_sample", "label"]
"""Columns that say which window a prediction is of."""


@dataclass(frozen=True)
class TaskBaseline:
    """A baseline of all seeds, tested on the windows of a task.

    Attributes:
        metrics: a row for each seed.
        predicted: (seeds, test windows) most probable classes; (seeds, windows, classes) of bool where windows may be
            of several.
    """

    metrics: pandas.DataFrame
    predicted: np.ndarray


@dataclass(frozen=True)
class FinetunedTask:
    """LFTs of all seeds, tested on a task.

    Attributes:
        facts: corpus, classes, head, left_out, training_windows, test_windows, chance, channels, interval, groups,
            warnings.
        metrics: a row for each seed.
        windows: test windows, one a row: recording, start_sample, label (0-based).
        predicted: (seeds, test windows) most probable classes.
        baselines: baselines that were trained for it, by name.
    """

    facts: dict[str, Any]
    metrics: pandas.DataFrame
    windows: pandas.DataFrame
    predicted: np.ndarray
    baselines: Mapping[str, TaskBaseline] = field(default_factory=dict)

    def interval(self, predicted: np.ndarray) -> Interval:
        """Return the interval of the balanced accuracy of a classifier, (seeds, test windows), of these windows."""
        labels, groups = self.windows["label"].to_numpy(), np.array(self.facts["groups"])
        return bootstrap_interval(labels, predicted, groups, len(self.facts["classes"]))

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
    probabilities = [f"p{k}" for k in range(len(facts["classes"]))]
    metrics, tables = read_seeds(folder, seeds)
    baselines = {}
    for name in facts.get("baselines", []):
        scores, of_baseline = read_seeds(folder / "baselines" / name, seeds)
        baselines[name] = TaskBaseline(scores, _most_probable(of_baseline, probabilities))
    return FinetunedTask(facts, metrics, tables[0][WINDOW], _most_probable(tables, probabilities), baselines)


def read_seeds(folder: Path, seeds: list[int]) -> tuple[pandas.DataFrame, list[pandas.DataFrame]]:
    """Read the results of each seed: metrics, a row each, and tables of predictions.

    Raises:
        InputError: a result is missing.
    """
    folders = [folder / f"seed-{seed}" for seed in seeds]
    documents = [json.loads(require_file(each / "metrics.json").read_text()) for each in folders]
    names = [name for name, value in documents[0].items() if isinstance(value, float)]
    metrics = pandas.DataFrame([{name: each[name] for name in names} for each in documents], index=seeds)
    return metrics, [read_parquet(require_file(each / PREDICTIONS)) for each in folders]


def _most_probable(tables: list[pandas.DataFrame], probabilities: list[str]) -> np.ndarray:
    return np.stack([table[probabilities].to_numpy().argmax(1) for table in tables])


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
