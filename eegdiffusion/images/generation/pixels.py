"""Images as networks take them, and back."""

import numpy as np
import torch
from torch import Tensor


def to_pixels(images: np.ndarray | Tensor) -> Tensor:
    """Turn images (n, side, side, 3) uint8 into pixels (n, 3, side, side) float32 from -1 to 1."""
    if isinstance(images, np.ndarray):
        images = torch.from_numpy(np.ascontiguousarray(images))
    return images.contiguous().permute(0, 3, 1, 2).float() / 127.5 - 1


def as_uint8(pixels: Tensor) -> Tensor:
    """Turn pixels (n, 3, side, side) from -1 to 1 into images (n, side, side, 3) uint8, on the same device."""
    return ((pixels.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1)


def to_images(pixels: Tensor) -> np.ndarray:
    """Turn pixels (n, 3, side, side) from -1 to 1 into images (n, side, side, 3) uint8."""
    return as_uint8(pixels).cpu().numpy()
