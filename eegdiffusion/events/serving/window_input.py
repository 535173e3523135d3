"""Signature, input example and preprocessing that all window classifiers share."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.signal.preprocessing import Preprocessing
from eegdiffusion.core.storage.input_example import write_input_example

PREPROCESSING = "preprocessing.json"
"""File of a classifier's folder that says how recordings become windows."""


def write(folder: Path, example: np.ndarray, preprocessing: Preprocessing) -> None:
    """Write input example and preprocessing to a classifier's folder."""
    write_input_example(folder, example)
    (folder / PREPROCESSING).write_text(json.dumps(asdict(preprocessing), indent=2))


def read_preprocessing(path: Path) -> Preprocessing:
    """Read what :func:`write` wrote."""
    return validate(json.loads(path.read_text()), Preprocessing, str(path))


def signature(example: np.ndarray, classes: int) -> ModelSignature:
    """Windows (n, channels, samples) float32 in 100 uV -> probabilities (n, classes) float32."""
    inputs = TensorSpec(np.dtype("float32"), (-1, *example.shape[1:]))
    return ModelSignature(Schema([inputs]), Schema([TensorSpec(np.dtype("float32"), (-1, classes))]))
