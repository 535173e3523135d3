"""Labels of distinct windows, where a corpus has a row for each channel that shows an event."""

import numpy as np


def distinct_labels(window_of_row: np.ndarray, labels: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Join the rows of each window: its labels are the set of those of its rows, also where they contradict each other.

    Args:
        window_of_row: (rows,) number of the window of each row.
        labels: (rows,) 0-based, below 0 for rows that count for nothing.
        classes: number of classes.

    Returns:
        (windows,) numbers of the windows with a label, in order; (windows, classes) int64, 1 where a row has the class.
    """
    kept = labels >= 0
    windows, position = np.unique(window_of_row[kept], return_inverse=True)
    sets = np.zeros((len(windows), classes), np.int64)
    sets[position, labels[kept]] = 1
    return windows, sets
