"""Edges of images: magnitude of the gradient of a Gaussian, over colours, soft and without a threshold."""

from importlib.metadata import version

import numpy as np

OVERSAMPLING = 2
"""Number of pixels along a side of a map's pixel at which the gradient is taken, before it is averaged."""

SIGMA = 1.0
"""Standard deviation of the Gaussian in pixels of the finer grid."""

FULL = 98
"""Percentile of an image's gradient that counts as a full edge."""

FAINT = 8.0
"""Least gradient of a full edge in grey values a pixel, so that a blank image has no edges."""

SOURCE = f"scipy {version('scipy')}: gradient of a Gaussian"


def soft_edges(image: np.ndarray) -> np.ndarray:
    """Find the edges of an image.

    Args:
        image: (OVERSAMPLING * side, OVERSAMPLING * side, 3) uint8.

    Returns:
        (side, side) float32 from 0 to 1.
    """
    from scipy.ndimage import gaussian_gradient_magnitude

    colours = np.moveaxis(image.astype(np.float32), 2, 0)
    strength = np.max([gaussian_gradient_magnitude(colour, SIGMA, mode="nearest") for colour in colours], axis=0)
    edges = np.clip(strength / max(FAINT, np.percentile(strength, FULL)), 0, 1)
    side = len(edges) // OVERSAMPLING
    return edges.reshape(side, OVERSAMPLING, side, OVERSAMPLING).mean((1, 3))
