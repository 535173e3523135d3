"""The metrics of a classifier in training.

They equal those of :mod:`.classification_metrics`, which go through PyHealth and stand in the report. Importing it
loads all of PyHealth, which would cost each training process several seconds.
"""

import warnings

import numpy as np
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, f1_score


def scores(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Cohen's kappa, balanced accuracy (over the classes that occur) and weighted F1.

    Args:
        labels: (windows,), 0-based.
        probabilities: (windows, classes).
    """
    predicted = probabilities.argmax(-1)
    with warnings.catch_warnings():
        # A class may be missing from a small split; what is put into it counts as wrong.
        warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
        return {
            "cohen_kappa": float(cohen_kappa_score(labels, predicted)),
            "balanced_accuracy": float(balanced_accuracy_score(labels, predicted)),
            "f1_weighted": float(f1_score(labels, predicted, average="weighted")),
        }
