"""Pictures that were seen, from files, and the figure that shows them beside those that were made."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from eegdiffusion.core.observe.figures.image_grid import image_grid
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.corpora.image_files import fitted_picture

ENDINGS = (".bmp", ".jpeg", ".jpg", ".png", ".svg", ".webp")

COLUMNS = 16
"""Epochs in the figure, at most."""


def read(path: Path, count: int, side: int) -> np.ndarray:
    """Read pictures (count, side, side, 3) uint8, in the order of the epochs.

    Args:
        path: folder of picture files, taken by name, or a ``.npy`` of (n, height, width, 3) uint8.
        count: that there must be.
        side: that they are brought to.

    Raises:
        InputError: there are others, or another number.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in ENDINGS)
        found = [fitted_picture(file, side) for file in files]
    else:
        try:
            array = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{path}: must be a folder of pictures or a .npy file ({error})") from error
        if array.ndim != 4 or array.shape[-1] != 3 or array.dtype != np.uint8:
            raise InputError(f"{path}: must be (n, height, width, 3) uint8 (found {array.shape} {array.dtype})")
        size = (side, side)
        found = [np.asarray(Image.fromarray(one).resize(size, Image.Resampling.LANCZOS)) for one in array]
    if len(found) != count:
        raise InputError(f"{path}: must hold a picture for each of the {count} epochs (found {len(found)})")
    return np.stack(found)


def figure(
    seen: np.ndarray | None, structure: np.ndarray | None, made: Mapping[str, Sequence[np.ndarray]], title: str
) -> Figure:
    """Draw what was seen, structure, and the pictures of each arm; the first epochs of many.

    Args:
        seen: (n, side, side, 3) uint8, where known.
        structure: (n, side, side, 3) uint8, where the model finds one.
        made: arm -> a few (n, side, side, 3) uint8.
        title: of the figure.
    """
    rows = {} if seen is None else {"seen": seen}
    if structure is not None:
        rows["structure"] = structure
    for arm, samples in made.items():
        label = arm.replace("_", " ").replace("eeg", "EEG")
        for k, values in enumerate(samples):
            rows[label if len(samples) == 1 else f"{label}, {k + 1}"] = values
    return image_grid({label: values[:COLUMNS] for label, values in rows.items()}, title)
