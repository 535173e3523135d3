"""What a classifier's folder says of its input: a few real windows, and how recordings become windows."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from eegdiffusion.core.signal.preprocessing import Preprocessing, read_preprocessing_fields
from eegdiffusion.core.storage.input_example import write_input_example

PREPROCESSING = "preprocessing.json"
"""File of a classifier's folder that says how recordings become windows."""


def write_window_input(folder: Path, example: np.ndarray, preprocessing: Preprocessing) -> None:
    """Write ``example.npy`` and ``preprocessing.json``.

    Args:
        folder: folder of the classifier.
        example: a few windows, (n, channels, samples) float32 in units of 100 uV.
        preprocessing: how recordings become such windows.
    """
    write_input_example(folder, example)
    (folder / PREPROCESSING).write_text(json.dumps(asdict(preprocessing), indent=2))


def read_preprocessing(path: Path) -> Preprocessing:
    """Read the file ``preprocessing.json`` that :func:`write_window_input` wrote.

    Raises:
        InputError: a field is missing, unknown or breaks its rule; the message names file, field and rule.
    """
    return read_preprocessing_fields(json.loads(path.read_text()), str(path))
