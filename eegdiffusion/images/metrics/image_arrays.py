"""Checks of arrays of images that are compared, and their scaling."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from eegdiffusion.core.runtime.errors import InputError

BATCH = 64
"""Number of images that are scaled at a time."""


class ImageRows:
    """Some rows of an array of images, which are read when they are sliced; the array may be memory-mapped.

    Args:
        images: (n, height, width, 3) uint8.
        rows: (m,) rows.
    """

    def __init__(self, images: np.ndarray, rows: np.ndarray):
        self._images, self._rows = images, rows
        self.dtype, self.shape, self.ndim = images.dtype, (len(rows), *images.shape[1:]), images.ndim

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, part: slice) -> np.ndarray:
        return self._images[self._rows[part]]


Images = np.ndarray | ImageRows
"""(n, height, width, 3) uint8 images, in memory or read when they are sliced."""


def check_images(name: str, images: Images) -> None:
    """Refuse what is not (images, height, width, 3) uint8 with two images or more; ``name`` begins the error.

    Raises:
        InputError: the array breaks the rule, which the error names.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        shape = f"{images.dtype} {images.shape}"
        raise InputError(f"{name}: must be uint8 pictures (number, height, width, 3) (found {shape})")
    if len(images) < 2:
        raise InputError(f"{name}: must be two pictures or more (found {len(images)})")


def check_rows(name: str, rows: np.ndarray) -> None:
    """Refuse what is not (rows, width) finite numbers with two rows or more.

    Raises:
        InputError: the array breaks the rule, which the error names.
    """
    if rows.ndim != 2 or not rows.shape[1]:
        raise InputError(f"{name}: must be a vector a row (found shape {rows.shape})")
    if len(rows) < 2:
        raise InputError(f"{name}: must be two rows or more (found {len(rows)})")
    if not np.isfinite(rows).all():
        raise InputError(f"{name}: must be finite (found {int((~np.isfinite(rows)).sum())} that are not)")


def check_alike(name: str, array: Images, other: str, against: Images) -> None:
    """Refuse arrays of different shapes.

    Args:
        name: name of the array, for the error.
        array: array to check.
        other: name of the array whose shape it must have, for the error.
        against: that array.

    Raises:
        InputError: they differ.
    """
    if array.shape != against.shape:
        raise InputError(f"{name}: must have the shape of {other}, {against.shape} (found {array.shape})")


def resize_images(images: Images, side: int, device: torch.device | str = "cpu") -> Tensor:
    """Scale images bilinearly with anti-aliasing.

    Args:
        images: (n, height, width, 3) uint8.
        side: side in pixels that they are scaled to.
        device: device to compute on.

    Returns:
        (n, 3, side, side) float32 from 0 to 1, on the device.
    """

    def resize(part: np.ndarray) -> Tensor:
        pixels = torch.tensor(part, device=device).permute(0, 3, 1, 2).float() / 255
        return functional.interpolate(pixels, (side, side), mode="bilinear", antialias=True)

    return torch.cat([resize(images[k : k + BATCH]) for k in range(0, len(images), BATCH)])
