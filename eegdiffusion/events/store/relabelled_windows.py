"""Windows of a split under the labels of a task, each row or each distinct window once."""

import numpy as np

from eegdiffusion.events.store.distinct_labels import distinct_labels
from eegdiffusion.events.store.window_store import EventWindows


class RelabelledWindows:
    """Windows of a split under the labels of a task, as a dataset.

    Args:
        windows: event windows of the split.
        of_class: class of each class of the corpus, -1 of those that are left out.
        classes: number of classes of the task.
        distinct: whether each distinct window counts once, with the set of its rows' labels.

    Attributes:
        labels: (windows,) int64, 0-based; (windows, classes) of 0 and 1 of distinct windows.
        table: row of the store for each window; of a distinct window the first, with the number of its ``rows``.
    """

    def __init__(self, windows: EventWindows, of_class: np.ndarray, classes: int, distinct: bool = False):
        labels = of_class[windows.labels]
        self._windows = windows
        if not distinct:
            self._rows = np.flatnonzero(labels >= 0)
            self.labels, self.table = labels[self._rows], windows.table.iloc[self._rows]
            return
        first, window_of_row = windows.distinct()
        kept, self.labels = distinct_labels(window_of_row, labels, classes)
        self._rows = first[kept]
        times = np.bincount(window_of_row[labels >= 0], minlength=len(first))[kept]
        self.table = windows.table.iloc[self._rows].assign(rows=times)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        """Read windows: ``signal`` (batch, channels, samples) float32 in 100 uV, and ``label``, int64."""
        signals = self._windows.__getitems__(self._rows[indices].tolist())["signal"]
        return {"signal": signals, "label": self.labels[indices]}

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return {name: values[0] for name, values in self.__getitems__([index]).items()}
