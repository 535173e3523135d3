"""Ridge regression from EEG epochs to image features."""

import numpy as np
import torch
from sklearn.linear_model import Ridge

from components.models.linear_encoder import LinearEncoder


def fit_ridge(eeg: np.ndarray, features: np.ndarray, alpha: float) -> LinearEncoder:
    """Fit the map by ridge regression (scikit-learn), with an intercept that is not penalised.

    Args:
        eeg: (epochs, electrodes, samples).
        features: (epochs, width).
        alpha: penalty, in units of the number of epochs times the variance of a sample.
    """
    flat = eeg.reshape(len(eeg), -1)
    found = Ridge(alpha=alpha * len(flat) * float(flat.var())).fit(flat, features)
    model = LinearEncoder(eeg.shape[1], eeg.shape[2], features.shape[1])
    with torch.no_grad():
        model.map.weight.copy_(torch.from_numpy(np.ascontiguousarray(found.coef_, np.float32)))
        model.map.bias.copy_(torch.from_numpy(np.asarray(found.intercept_, np.float32)))
    return model.eval()
