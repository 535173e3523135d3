"""A stand-in for a registered classifier: every window is of the first class."""

from types import SimpleNamespace

import numpy as np

from eegdiffusion.events.prediction.prediction import Classifier
from tests.predict.tiny_model import PREPROCESSING


class Model:
    """What is asked of a loaded model: its identifier, and probabilities (n, classes) of windows."""

    metadata = SimpleNamespace(model_uuid="stand-in")

    def predict(self, windows: np.ndarray) -> np.ndarray:
        """Return 0.9 for the first class."""
        probabilities = np.full((len(windows), len(PREPROCESSING.classes)), 0.02)
        probabilities[:, 0] = 0.9
        return probabilities


def classifier() -> Classifier:
    """Return a classifier that asks the stand-in."""
    return Classifier("a stand-in", Model(), PREPROCESSING, 0.0, 16, {})
