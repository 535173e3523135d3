"""Probes: classifiers with few choices, which say what frozen features hold."""

import warnings
from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from eegdiffusion.core.runtime.errors import InputError

PROBES = ("linear", "ridge", "knn", "lda")

NEIGHBOURS = 15
"""Neighbours that vote in ``knn``, at most all there are."""

PENALTIES = np.logspace(0, 6, 13)
"""Penalties that ``ridge`` chooses from, by the error on each training window when it is left out."""


def _classifier(kind: str, windows: int, classes: int) -> Any:
    match kind:
        case "linear":
            return LogisticRegression(C=0.01, max_iter=1000)
        case "ridge":
            return RidgeClassifierCV(PENALTIES)
        case "knn":
            return KNeighborsClassifier(min(NEIGHBOURS, windows), weights="distance")
        case "lda" if windows <= classes:
            # Of a window a class there is no covariance; shrunken to none, the nearest window is what is left.
            return KNeighborsClassifier(1)
        case "lda":
            return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    raise InputError(f"probe: must be one of {', '.join(PROBES)} (found {kind!r})")


def probe(kind: str, features: np.ndarray, labels: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Train a probe and classify other windows.

    Args:
        kind: ``linear``, a logistic regression with an L2 penalty; ``ridge``, one whose penalty is chosen by leaving
            out one window at a time; ``knn``, the vote of the nearest windows; ``lda``, a discriminant analysis with
            Ledoit and Wolf's shrinkage, or, of one window a class, the nearest. Features are standardised by the
            training windows.
        features: (windows, features) of the training windows.
        labels: (windows,) their labels.
        tested: (others, features).

    Returns:
        (others,) predicted labels.

    Raises:
        InputError: there is no such probe.
    """
    model = make_pipeline(StandardScaler(), _classifier(kind, len(labels), len(np.unique(labels))))
    with warnings.catch_warnings():
        # A class of a single window adds nothing to the covariance within classes.
        warnings.filterwarnings("ignore", message="Only one sample available")
        return model.fit(features, labels).predict(tested)
