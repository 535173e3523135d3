"""The MLflow signature that all classifiers of windows share."""

import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec


def window_signature(example: np.ndarray, classes: int) -> ModelSignature:
    """Return the signature: windows (n, channels, samples) float32 in 100 uV -> probabilities (n, classes) float32."""
    inputs = TensorSpec(np.dtype("float32"), (-1, *example.shape[1:]))
    return ModelSignature(Schema([inputs]), Schema([TensorSpec(np.dtype("float32"), (-1, classes))]))
