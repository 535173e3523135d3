"""The MLflow signature that all classifiers of windows share."""

import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import ParamSchema, ParamSpec, Schema, TensorSpec

CHANNELS = "channels"
"""Parameter that names the channels of the windows, where they are some of the model's."""


def window_signature(example: np.ndarray, classes: int) -> ModelSignature:
    """Return the signature: windows (n, channels, samples) float32 in 100 uV -> probabilities (n, classes) float32."""
    inputs = TensorSpec(np.dtype("float32"), (-1, *example.shape[1:]))
    return ModelSignature(Schema([inputs]), Schema([TensorSpec(np.dtype("float32"), (-1, classes))]))


def subset_signature(example: np.ndarray, classes: int, channels: list[str]) -> ModelSignature:
    """Return the signature of a classifier of any number of its channels.

    Args:
        example: (n, channels, samples) windows.
        classes: number of classes.
        channels: names of the model's channels, the default of the parameter ``channels``.
    """
    inputs = TensorSpec(np.dtype("float32"), (-1, -1, example.shape[2]))
    outputs = Schema([TensorSpec(np.dtype("float32"), (-1, classes))])
    params = ParamSchema([ParamSpec(CHANNELS, "string", channels, shape=(-1,))])
    return ModelSignature(Schema([inputs]), outputs, params)
