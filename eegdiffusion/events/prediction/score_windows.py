"""A classifier's scores on the labelled windows of a split of a store."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.core.signal.preprocessing import Preprocessing
from eegdiffusion.core.statistics.classification_metrics import (
    binary_metrics,
    classification_metrics,
    per_class,
)
from eegdiffusion.core.statistics.multilabel_metrics import multilabel_metrics, multilabel_per_class
from eegdiffusion.events.store.distinct_labels import distinct_labels
from eegdiffusion.events.store.window_store import Store
from eegdiffusion.events.training.event_task import EventTask, task_classes


@dataclass(frozen=True)
class ScoredWindows:
    """What a classifier says of the windows of a split that have labels, and how well that fits.

    Attributes:
        classes: names of the classes.
        of_class: (classes of the corpus,) the class of each, -1 of those that are none of the task's.
        labels: (windows,), 0-based; (windows, classes) of 0 and 1 where windows may be of several.
        probabilities: (windows, classes).
        kept: (rows of the split,) bool, False where the class is none of the task's.
        thresholds: (classes,) least probability of each class, where windows may be of several; else None.
    """

    classes: list[str]
    of_class: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
    kept: np.ndarray
    thresholds: np.ndarray | None = None

    @property
    def left_out(self) -> int:
        """Number of rows of classes that are none of the task's."""
        return int(np.count_nonzero(~self.kept))

    @property
    def metrics(self) -> dict[str, float]:
        """Cohen's kappa, balanced accuracy and weighted F1; of two classes also AUROC and AUPRC of the second.

        Where windows may be of several classes: macro-F1, and the means over classes of AUROC and AUPRC.
        """
        if self.thresholds is not None:
            return multilabel_metrics(self.labels, self.probabilities, self.thresholds)
        metrics = classification_metrics(self.labels, self.probabilities)
        return metrics | (binary_metrics(self.labels, self.probabilities[:, 1]) if len(self.classes) == 2 else {})

    def table(self) -> pandas.DataFrame:
        """Return the scores as a table: metric, class (empty where a metric is of all), value."""
        rows = [(name, "", value) for name, value in self.metrics.items()]
        rows.append(("windows", "", len(self.labels)))
        if self.thresholds is None:
            by_class = per_class(self.labels, self.probabilities.argmax(1), self.classes)
        else:
            by_class = multilabel_per_class(self.labels, self.probabilities, self.thresholds, self.classes)
        rows += [(metric, name, value) for name, row in by_class.iterrows() for metric, value in row.items()]
        return pandas.DataFrame(rows, columns=["metric", "class", "value"])


def check_fit(carried: Preprocessing, stored: Preprocessing, model: str, store: Path) -> None:
    """Check that a store's windows are such as a model was trained on; the corpus may be another.

    Raises:
        InputError: filters, montage, window, unit or classes differ.
    """
    trained_on, offered = asdict(carried), asdict(stored)
    for field in trained_on.keys() - {"corpus"}:
        expected, given = (
            list(fields[field]) if field in ("classes", "channels") else fields[field]
            for fields in (trained_on, offered)
        )
        if expected != given:
            raise InputError(f"{store}: {field}: must be {expected}, as {model} was trained (found {given})")


def score_windows(
    predict: Callable[[np.ndarray], np.ndarray],
    preprocessing: Preprocessing,
    model: str,
    store: Store,
    split: str,
    task: tuple[str, EventTask] | None = None,
    batch: int = 64,
    thresholds: Mapping[str, float] | None = None,
) -> ScoredWindows:
    """Classify the windows of a split that have labels; each distinct window is classified once.

    Args:
        predict: (n, channels, samples) float32 -> (n, classes).
        preprocessing: what the model carries.
        model: its name, for errors.
        store: the windows.
        split: name of the split.
        task: key and entry of the section ``event_tasks``, whose classes are taken; None: those of the store.
        batch: windows in a call.
        thresholds: class -> least probability of it, of a model of windows that may be of several classes; else None.

    Raises:
        InputError: the windows are not such as the model was trained on, or the split has none.
    """
    sets = task is not None and task[1].head == "multi_label"
    if sets != (thresholds is not None):
        rule = "an entry of event_tasks with" if thresholds is not None else "no entry with"
        raise InputError(
            f"--task: must name {rule} `head: multi_label` for {model}, by the head that it was trained with"
        )
    classes, of_class = store.classes, np.arange(len(store.classes))
    if task:
        classes, of_class = task_classes(*task, store.classes)
    check_fit(preprocessing, replace(store.preprocessing, classes=classes), model, store.path)
    windows = store.event_windows(split)
    first, window_of_row = windows.distinct()
    batches = [first[begin : begin + batch] for begin in range(0, len(first), batch)]
    if not batches:
        raise InputError(f"{store.path}: split: {split} has no windows")
    probabilities = np.concatenate(
        [
            predict(windows.__getitems__(rows.tolist())["signal"])
            for rows in progress(batches, "windows", unit="batch", leave=None)
        ]
    )
    labels = of_class[windows.labels]
    kept = labels >= 0
    if thresholds is not None:
        members, labels = distinct_labels(window_of_row, labels, len(classes))
        chosen = np.array([thresholds[name] for name in classes])
        return ScoredWindows(classes, of_class, labels, probabilities[members], kept, chosen)
    return ScoredWindows(classes, of_class, labels[kept], probabilities[window_of_row][kept], kept)
