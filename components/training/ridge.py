"""Ridge regression from EEG epochs to image features."""

import numpy as np
import torch
from scipy.linalg import solve

from components.models.linear_encoder import LinearEncoder


class RidgeEpochs:
    """Training epochs, to fit any number of targets and penalties to: their Gram matrix is computed once.

    The Gram matrix is over epochs or over samples, whichever are fewer; the intercept is not penalised.

    Args:
        eeg: (epochs, electrodes, samples).
    """

    def __init__(self, eeg: np.ndarray):
        flat = eeg.reshape(len(eeg), -1)
        self._unit = len(flat) * float(flat.var())
        self._mean = flat.mean(0)
        self._flat = flat - self._mean
        self._over_epochs = len(flat) <= flat.shape[1]
        self._gram = self._flat @ self._flat.T if self._over_epochs else self._flat.T @ self._flat

    def fit(self, features: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Fit a map to features.

        Args:
            features: (epochs, width).
            alpha: penalty, in units of epochs times the variance of a sample.

        Returns:
            weight (electrodes * samples, width), intercept (width,).
        """
        centre = features.mean(0)
        penalised = self._gram + np.float32(alpha * self._unit) * np.eye(len(self._gram), dtype=self._gram.dtype)
        wanted = features - centre
        if self._over_epochs:
            weight = self._flat.T @ solve(penalised, wanted, assume_a="pos")
        else:
            weight = solve(penalised, self._flat.T @ wanted, assume_a="pos")
        return weight, centre - self._mean @ weight


def linear_encoder(weight: np.ndarray, intercept: np.ndarray, shape: tuple[int, int]) -> LinearEncoder:
    """Make an encoder of epochs of a shape (electrodes, samples) from a map that was fitted."""
    model = LinearEncoder(*shape, len(intercept))
    with torch.no_grad():
        model.map.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight.T, np.float32)))
        model.map.bias.copy_(torch.from_numpy(np.asarray(intercept, np.float32)))
    return model.eval()
