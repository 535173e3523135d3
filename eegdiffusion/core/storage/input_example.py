"""The input example that a training stores beside its model: a few real windows or epochs, ``example.npy``."""

from pathlib import Path

import numpy as np

from eegdiffusion.core.storage.array_file import load_array
from eegdiffusion.core.storage.batched_dataset import BatchedDataset

EXAMPLE = "example.npy"
"""File of a model's folder with a few real inputs, (n, channels, samples) float32 in the unit of their store."""


_INPUTS = 2


def first_inputs(dataset: BatchedDataset, name: str) -> np.ndarray:
    """Read the first two inputs of a dataset, (n, channels, samples); the only one where it has no other.

    Args:
        dataset: windows or epochs.
        name: field of its batches that holds them.
    """
    return dataset.__getitems__(list(range(min(_INPUTS, len(dataset)))))[name]


def write_input_example(folder: Path, example: np.ndarray) -> None:
    """Write inputs (n, channels, samples) to a model's folder."""
    np.save(folder / EXAMPLE, example)


def read_input_example(folder: Path) -> np.ndarray:
    """Read what :func:`write_input_example` wrote."""
    return load_array(folder / EXAMPLE, "must be inputs that a training stored")
