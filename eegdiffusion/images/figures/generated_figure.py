"""Images that were seen, from files, and the figure that shows them beside those that were generated."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from eegdiffusion.core.observe.figures.image_grid import image_grid
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.array_file import load_array
from eegdiffusion.images.corpora.image_files import KINDS, fitted_image

COLUMNS = 16
"""Epochs in the figure, at most."""


def read_shown_images(path: Path, count: int, side: int) -> np.ndarray:
    """Read the images that were shown, in the order of the epochs.

    Args:
        path: folder of image files, taken by name, or a ``.npy`` of (n, height, width, 3) uint8.
        count: number of images that there must be.
        side: side in pixels to which they are scaled.

    Returns:
        (count, side, side, 3) uint8.

    Raises:
        InputError: the path holds no such images, or another number of them.
    """
    if path.is_dir():
        files = sorted(file for file in path.glob("[!.]*") if file.suffix.lower() in KINDS)
        images = [fitted_image(file, side) for file in files]
    else:
        array = load_array(path, "must be a folder of pictures or a .npy file")
        if array.ndim != 4 or array.shape[-1] != 3 or array.dtype != np.uint8:
            raise InputError(f"{path}: must be (n, height, width, 3) uint8 (found {array.shape} {array.dtype})")
        size = (side, side)
        images = [np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)) for image in array]
    if len(images) != count:
        raise InputError(f"{path}: must hold a picture for each of the {count} epochs (found {len(images)})")
    return np.stack(images)


def draw_generated_images(
    seen: np.ndarray | None, structure: np.ndarray | None, generated: Mapping[str, Sequence[np.ndarray]], title: str
) -> Figure:
    """Draw what was seen, the structure predicted, and the images of each arm, for the first epochs.

    Args:
        seen: (n, side, side, 3) uint8, where known.
        structure: (n, side, side, 3) uint8, where the model finds one.
        generated: a few arrays (n, side, side, 3) uint8 by name of the arm, one for each sample.
        title: title of the figure.
    """
    rows = {} if seen is None else {"seen": seen}
    if structure is not None:
        rows["structure"] = structure
    for arm, samples in generated.items():
        label = arm.replace("_", " ").replace("eeg", "EEG")
        for k, values in enumerate(samples):
            rows[label if len(samples) == 1 else f"{label}, {k + 1}"] = values
    return image_grid({label: values[:COLUMNS] for label, values in rows.items()}, title)
