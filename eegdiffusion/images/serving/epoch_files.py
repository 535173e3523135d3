"""Epochs from a file, checked against what a model was trained on."""

from pathlib import Path

import numpy as np

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.epoch_scaler import EpochInput
from eegdiffusion.core.storage.array_file import load_array

QUIET, LOUD = 0.02, 5.0
"""Between these the spread of epochs may lie, as a share of that of the training's single trials.

An average over 80 repetitions keeps a ninth of a trial's noise; microvolts in place of volts are off by a million."""


def read_epochs(path: Path, shape: tuple[int, int], input_: EpochInput) -> np.ndarray:
    """Read epochs (n, electrodes, samples) float32.

    Args:
        path: a ``.npy`` file.
        shape: electrodes and samples that the model wants.
        input_: mean and scale of each electrode in training.

    Raises:
        InputError: it holds no epochs of this shape and unit, all finite.
    """
    epochs = load_array(path, "file: must be a .npy file of numbers")
    if epochs.dtype.kind not in "fiu":
        raise InputError(f"{path}: file: must be a .npy file of real numbers (found {epochs.dtype})")
    if epochs.ndim != 3 or epochs.shape[1:] != tuple(shape) or not len(epochs):
        raise InputError(
            f"{path}: shape: must be (epochs, {shape[0]}, {shape[1]}), as in training (found {epochs.shape})"
        )
    if not np.isfinite(epochs).all():
        bad = np.flatnonzero(~np.isfinite(epochs).all((1, 2)))
        raise InputError(f"{path}: samples: must be finite (found NaN or infinity in epochs {_some(bad)})")
    flat = np.flatnonzero((np.ptp(epochs, axis=2) == 0).all(1))
    if len(flat):
        raise InputError(f"{path}: samples: must not be constant at all electrodes (found epochs {_some(flat)})")
    share = float(np.median(epochs.std((0, 2)) / np.asarray(input_.scale)))
    if not QUIET <= share <= LOUD:
        raise InputError(
            f"{path}: unit: the electrodes' median standard deviation must be {QUIET:g} to {LOUD:g} times that of "
            f"training (found {share:.3g} times); give epochs as the epoch store has them, whitened where it is"
        )
    return epochs.astype(np.float32)


def _some(rows: np.ndarray) -> str:
    return ", ".join(map(str, rows[:5])) + (", ..." if len(rows) > 5 else "")
