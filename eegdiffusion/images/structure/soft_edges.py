"""Edges of pictures: magnitude of the gradient of a Gaussian, over colours, soft and without a threshold."""

from importlib.metadata import version

import numpy as np
from scipy.ndimage import gaussian_gradient_magnitude

OVERSAMPLING = 2
"""The gradient is taken so many times finer than the map, and averaged."""

SIGMA = 1.0
"""Of the Gaussian, in pixels of the finer grid."""

FULL = 98
"""Percentile of a picture's gradient that counts as a full edge."""

FAINT = 8.0
"""Gradient, in grey values a pixel, that a full edge has at least: a blank picture has no edges."""

SOURCE = f"scipy {version('scipy')}: gradient of a Gaussian"


def soft_edges(picture: np.ndarray) -> np.ndarray:
    """Find the edges of a picture.

    Args:
        picture: (OVERSAMPLING * side, OVERSAMPLING * side, 3) uint8.

    Returns:
        (side, side) float32 from 0 to 1.
    """
    colours = np.moveaxis(picture.astype(np.float32), 2, 0)
    strength = np.max([gaussian_gradient_magnitude(colour, SIGMA, mode="nearest") for colour in colours], axis=0)
    edges = np.clip(strength / max(FAINT, np.percentile(strength, FULL)), 0, 1)
    side = len(edges) // OVERSAMPLING
    return edges.reshape(side, OVERSAMPLING, side, OVERSAMPLING).mean((1, 3))
