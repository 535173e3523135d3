"""Ridge regression from EEG epochs to image features, the linear baseline of every learned map from EEG.

The solution is B = (X'X + a I)^-1 X'Y with centred X and Y, or by duality X' (XX' + a I)^-1 Y (Saunders et al., ICML
1998), whichever matrix is smaller.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import solve

from eegdiffusion.images.encoders.linear_encoder import LinearEncoder


@dataclass(frozen=True)
class RidgeFit:
    """A fitted ridge regression.

    Attributes:
        coefficients: (epochs or samples, width), by what the Gram matrix is over.
        centre: (width,) mean of the targets.
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

    def fit(self, targets: np.ndarray, alpha: float) -> RidgeFit:
        """Fit a map to targets (epochs, width); ``alpha`` is in units of epochs times the variance of a sample."""
        centre = targets.mean(0)
        penalised = self._gram + np.float32(alpha * self._unit) * np.eye(len(self._gram), dtype=self._gram.dtype)
        right_side = targets - centre if self._over_epochs else self._flat.T @ (targets - centre)
        return RidgeFit(solve(penalised, right_side, assume_a="pos"), centre)

    def predict(self, fit: RidgeFit, eeg: np.ndarray) -> np.ndarray:
        """Predict the targets (epochs, width) of a few other epochs (epochs, electrodes, samples)."""
        flat = eeg.reshape(len(eeg), -1) - self._mean
        return (flat @ self._flat.T if self._over_epochs else flat) @ fit.coefficients + fit.centre

    def encoder(self, fit: RidgeFit) -> LinearEncoder:
        """Return the fitted map as an encoder in evaluation mode."""
        weight = self._flat.T @ fit.coefficients if self._over_epochs else fit.coefficients
        channels, samples = self._shape
        model = LinearEncoder(channels, samples, len(fit.centre))
        with torch.no_grad():
            model.map.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight.T, np.float32)))
            model.map.bias.copy_(torch.from_numpy(np.asarray(fit.centre - self._mean @ weight, np.float32)))
        return model.eval()


@dataclass(frozen=True)
class SelectedRidge:
    """The ridge regression whose penalty is best on validation epochs.

    Attributes:
        encoder: the map, in evaluation mode.
        alpha: penalty of the regression, see :meth:`RidgeEpochs.fit`.
        loss: loss of its predictions of the validation epochs.
    """

    encoder: LinearEncoder
    alpha: float
    loss: float


def select_ridge(
    train_eeg: np.ndarray,
    train_targets: np.ndarray,
    validation_eeg: np.ndarray,
    alphas: list[float],
    loss: Callable[[np.ndarray], float],
) -> SelectedRidge:
    """Fit a ridge regression with each penalty and take the one with the least loss; the first of equal ones.

    Args:
        train_eeg: (epochs, electrodes, samples) of the training.
        train_targets: (epochs, width), what is predicted.
        validation_eeg: (epochs, electrodes, samples) of the validation.
        alphas: penalties, see :meth:`RidgeEpochs.fit`.
        loss: takes the predictions (epochs, width) of the validation epochs; less is better.

    Returns:
        the map, its penalty and its loss.
    """
    ridge = RidgeEpochs(train_eeg)
    candidates = []
    for alpha in alphas:
        fit = ridge.fit(train_targets, alpha)
        candidates.append((float(loss(ridge.predict(fit, validation_eeg))), alpha, fit))
    least, alpha, fit = min(candidates, key=lambda candidate: candidate[0])
    return SelectedRidge(ridge.encoder(fit), alpha, least)
