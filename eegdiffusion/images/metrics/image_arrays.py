"""Arrays of pictures that are compared, and what they must be."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from eegdiffusion.core.runtime.errors import InputError


def check_pictures(name: str, pictures: np.ndarray) -> None:
    """Refuse what is not (pictures, height, width, 3) uint8 with two pictures or more.

    Raises:
        InputError: the rule that is broken.
    """
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[-1] != 3:
        shape = f"{pictures.dtype} {pictures.shape}"
        raise InputError(f"{name}: must be uint8 pictures (number, height, width, 3) (found {shape})")
    if len(pictures) < 2:
        raise InputError(f"{name}: must be two pictures or more (found {len(pictures)})")


def check_rows(name: str, rows: np.ndarray) -> None:
    """Refuse what is not (rows, width) finite numbers with two rows or more.

    Raises:
        InputError: the rule that is broken.
    """
    if rows.ndim != 2 or not rows.shape[1]:
        raise InputError(f"{name}: must be a vector a row (found shape {rows.shape})")
    if len(rows) < 2:
        raise InputError(f"{name}: must be two rows or more (found {len(rows)})")
    if not np.isfinite(rows).all():
        raise InputError(f"{name}: must be finite (found {int((~np.isfinite(rows)).sum())} that are not)")


def check_alike(name: str, array: np.ndarray, other: str, against: np.ndarray) -> None:
    """Refuse arrays of different shapes.

    Raises:
        InputError: they differ.
    """
    if array.shape != against.shape:
        raise InputError(f"{name}: must have the shape of {other}, {against.shape} (found {array.shape})")


def resized(pictures: np.ndarray, side: int, device: torch.device | str = "cpu") -> Tensor:
    """Scale uint8 pictures (n, height, width, 3) to (n, 3, side, side) in 0..1: bilinear, with anti-aliasing."""
    pixels = torch.tensor(pictures, device=device).permute(0, 3, 1, 2).float() / 255
    return functional.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
