"""Results of LFTs of distinct windows, which may be of several classes, and what counting each row is worth."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from eegdiffusion.core.runtime.files import require_file
from eegdiffusion.core.statistics.classification_metrics import ClassifierDifference
from eegdiffusion.core.statistics.multilabel_metrics import (
    counting_difference,
    f1_counts,
    macro_f1,
    paired_macro_f1,
)
from eegdiffusion.events.results.finetuned_tasks import TASK, TaskBaseline, read_seeds
from eegdiffusion.events.store.distinct_labels import distinct_labels


@dataclass(frozen=True)
class MultiLabelTask:
    """LFTs of all seeds, tested on distinct windows.

    Attributes:
        facts: corpus, classes, head, left_out, training_windows, test_windows, channels, interval, groups, warnings.
        metrics: a row for each seed.
        by_class: a table for each seed: threshold, precision, recall, f1, auroc, auprc, support of each class.
        windows: distinct test windows, one a row: recording, start_sample, and how many ``rows`` show it.
        labels: (windows, classes) of 0 and 1.
        predicted: (seeds, windows, classes) of bool.
        baselines: baselines that were trained for it, by name.
    """

    facts: dict[str, Any]
    metrics: pandas.DataFrame
    by_class: list[pandas.DataFrame]
    windows: pandas.DataFrame
    labels: np.ndarray
    predicted: np.ndarray
    baselines: Mapping[str, TaskBaseline] = field(default_factory=dict)

    def difference(self, predicted: np.ndarray) -> ClassifierDifference:
        """Compare the LFT's macro-F1 with another classifier's, (seeds, windows, classes) of bool."""
        return paired_macro_f1(self.labels, self.predicted, predicted, np.array(self.facts["groups"]))

    @property
    def protocols(self) -> "CountedTwice":
        """Its macro-F1 by rows and by distinct windows."""
        rows = self.windows["rows"].to_numpy()
        groups = np.array(self.facts["groups"])
        by_rows = np.repeat(self.labels, rows, 0), np.repeat(self.predicted, rows, 1), np.repeat(groups, rows)
        return count_twice(by_rows, (self.labels, self.predicted, groups))


Counted = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Labels (windows, classes), predictions (seeds, windows, classes) and clusters (windows,)."""


@dataclass(frozen=True)
class CountedTwice:
    """One classifier by both protocols: each row as in the paper, and each distinct window once.

    Attributes:
        rows, windows: number of rows, and of distinct windows.
        f1_rows, f1_windows: macro-F1, means over seeds.
        inflation: the former minus the latter, with its interval.
    """

    rows: int
    windows: int
    f1_rows: float
    f1_windows: float
    inflation: ClassifierDifference


def count_twice(by_rows: Counted, by_windows: Counted) -> CountedTwice:
    """Score a classifier by rows and by distinct windows.

    Raises:
        InputError: there are fewer than two subjects.
    """
    return CountedTwice(
        rows=len(by_rows[0]),
        windows=len(by_windows[0]),
        f1_rows=_mean_f1(by_rows),
        f1_windows=_mean_f1(by_windows),
        inflation=counting_difference(by_rows, by_windows),
    )


def _mean_f1(counted: Counted) -> float:
    labels, predicted, _ = counted
    return float(np.mean([macro_f1(f1_counts(labels, each).sum(0)) for each in predicted]))


def count_rows_twice(
    windows: pandas.DataFrame, predicted: np.ndarray, clusters: np.ndarray, classes: int
) -> CountedTwice:
    """Score a classifier of one class a row by rows, and by distinct windows, each with the set of its rows' labels.

    Args:
        windows: a row each: recording, start_sample, label (0-based).
        predicted: (seeds, rows) most probable classes, the same for all rows of a window.
        clusters: (rows,) what tells the subjects apart.
        classes: number of classes.
    """
    labels = windows["label"].to_numpy()
    of_row = windows.groupby(["recording", "start_sample"], sort=False).ngroup().to_numpy()
    _, sets = distinct_labels(of_row, labels, classes)
    _, first = np.unique(of_row, return_index=True)
    one_of = np.eye(classes, dtype=bool)
    return count_twice(
        (one_of[labels].astype(np.int64), one_of[predicted], clusters),
        (sets, one_of[predicted[:, first]], clusters[first]),
    )


def read_multi_label_task(folder: Path, seeds: list[int]) -> MultiLabelTask:
    """Read what ``finetune_tasks`` wrote of a task with a multi-label head.

    Args:
        folder: folder of the task.
        seeds: seeds of its trainings.

    Raises:
        InputError: a result is missing.
    """
    facts = json.loads(require_file(folder / TASK).read_text())
    labels, chosen = ([f"{letter}{k}" for k in range(len(facts["classes"]))] for letter in "lc")
    metrics, tables = read_seeds(folder, seeds)
    documents = [json.loads((folder / f"seed-{seed}/metrics.json").read_text()) for seed in seeds]
    baselines = {}
    for name in facts.get("baselines", []):
        scores, of_baseline = read_seeds(folder / "baselines" / name, seeds)
        baselines[name] = TaskBaseline(scores, np.stack([table[chosen].to_numpy() for table in of_baseline]))
    return MultiLabelTask(
        facts=facts,
        metrics=metrics,
        by_class=[pandas.DataFrame.from_dict(each["by_class"], orient="index") for each in documents],
        windows=tables[0][["recording", "start_sample", "rows"]],
        labels=tables[0][labels].to_numpy(),
        predicted=np.stack([table[chosen].to_numpy() for table in tables]),
        baselines=baselines,
    )
