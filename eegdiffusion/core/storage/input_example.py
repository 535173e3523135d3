"""The input example that a training stores beside its model: a few real windows or epochs, ``example.npy``."""

from pathlib import Path

import numpy as np

EXAMPLE = "example.npy"
"""File of a model's folder with a few real inputs, (n, channels, samples) float32 in the unit of their store."""


def write_input_example(folder: Path, example: np.ndarray) -> None:
    """Write inputs (n, channels, samples) to a model's folder."""
    np.save(folder / EXAMPLE, example)


def read_input_example(folder: Path) -> np.ndarray:
    """Read what :func:`write_input_example` wrote."""
    return np.load(folder / EXAMPLE)
