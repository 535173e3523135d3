"""Signature and input example that all window classifiers share."""

from pathlib import Path

import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

EXAMPLE = "example.npy"
"""File of a classifier's folder with a few real windows, (n, channels, samples) float32 in 100 uV."""


def signature(example: np.ndarray, classes: int) -> ModelSignature:
    """Windows (n, channels, samples) float32 in 100 uV -> probabilities (n, classes) float32."""
    inputs = TensorSpec(np.dtype("float32"), (-1, *example.shape[1:]))
    return ModelSignature(Schema([inputs]), Schema([TensorSpec(np.dtype("float32"), (-1, classes))]))


def read_example(folder: Path) -> np.ndarray:
    """Read the input example of a classifier's folder."""
    return np.load(folder / EXAMPLE)
