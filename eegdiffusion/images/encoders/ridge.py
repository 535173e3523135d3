"""Ridge regression from EEG epochs to image features."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import solve

from eegdiffusion.images.encoders.linear_encoder import LinearEncoder


@dataclass(frozen=True)
class Fit:
    """A ridge regression.

    Attributes:
        coefficients: (epochs or samples, width), of what the Gram matrix is over.
        centre: (width,) mean of the features.
    """

    coefficients: np.ndarray
    centre: np.ndarray


class RidgeEpochs:
    """Training epochs, to fit any number of targets and penalties to: their Gram matrix is computed once.

    The Gram matrix is over epochs or over samples, whichever are fewer; the intercept is not penalised.

    Args:
        eeg: (epochs, electrodes, samples).
    """

    def __init__(self, eeg: np.ndarray):
        self._shape = eeg.shape[1:]
        flat = eeg.reshape(len(eeg), -1)
        self._unit = len(flat) * float(flat.var())
        self._mean = flat.mean(0)
        self._flat = flat - self._mean
        self._over_epochs = len(flat) <= flat.shape[1]
        self._gram = self._flat @ self._flat.T if self._over_epochs else self._flat.T @ self._flat

    def fit(self, features: np.ndarray, alpha: float) -> Fit:
        """Fit a map to features (epochs, width); ``alpha`` is in units of epochs times the variance of a sample."""
        centre = features.mean(0)
        penalised = self._gram + np.float32(alpha * self._unit) * np.eye(len(self._gram), dtype=self._gram.dtype)
        wanted = features - centre if self._over_epochs else self._flat.T @ (features - centre)
        return Fit(solve(penalised, wanted, assume_a="pos"), centre)

    def predict(self, fit: Fit, eeg: np.ndarray) -> np.ndarray:
        """Predict the features of a few other epochs: (epochs, width)."""
        flat = eeg.reshape(len(eeg), -1) - self._mean
        return (flat @ self._flat.T if self._over_epochs else flat) @ fit.coefficients + fit.centre

    def encoder(self, fit: Fit) -> LinearEncoder:
        """Make the map an encoder."""
        weight = self._flat.T @ fit.coefficients if self._over_epochs else fit.coefficients
        model = LinearEncoder(*self._shape, len(fit.centre))
        with torch.no_grad():
            model.map.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight.T, np.float32)))
            model.map.bias.copy_(torch.from_numpy(np.asarray(fit.centre - self._mean @ weight, np.float32)))
        return model.eval()
