"""Pictures as networks take them, and back."""

import numpy as np
import torch
from torch import Tensor


def to_pixels(pictures: np.ndarray) -> Tensor:
    """Turn pictures (n, side, side, 3) uint8 into (n, 3, side, side) from -1 to 1."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pictures(pixels: Tensor) -> np.ndarray:
    """Turn (n, 3, side, side) from -1 to 1 into pictures (n, side, side, 3) uint8."""
    return ((pixels.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
