"""Previews of a trained model: images that it generates of a few test images, kept as arrays to draw figures from."""

from pathlib import Path

import numpy as np

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.array_file import load_arrays

FILE = "previews.npz"
"""File of a trained model's folder that holds its previews."""

SHEET_FILE = "held_out_captions.npy"
"""File of a generator's folder with a sheet of pictures of captions that were held out of its training."""


def write_previews(folder: Path, **arrays: np.ndarray) -> None:
    """Write arrays by name to ``previews.npz`` of a folder that exists; images are (n, side, side, 3) uint8."""
    np.savez(folder / FILE, allow_pickle=False, **arrays)


def read_previews(folder: Path) -> dict[str, np.ndarray]:
    """Read what :func:`write_previews` wrote.

    Raises:
        InputError: there is no such file.
    """
    if not (folder / FILE).is_file():
        raise InputError(f"{folder / FILE}: no such file; the stage that trains the model writes it")
    return load_arrays(folder / FILE, None, "must be images that a stage wrote")
