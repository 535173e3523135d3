"""Low-level likeness of images: pixel correlation and structural similarity, with MindEye's recipe.

Scotti et al. 2023, arXiv:2305.18274; ATM and ENIGMA take the same numbers. All images are scaled to 425 x 425 first.
"""

import numpy as np
import torch
from torch import Tensor

from eegdiffusion.images.metrics.image_arrays import Images, check_alike, check_images, resize_images

SIDE = 425
"""Side in pixels that images are scaled to."""

GREY = (0.2125, 0.7154, 0.0721)
"""Weights of red, green and blue in scikit-image's grey."""

SIGMA, RADIUS = 1.5, 5
"""Standard deviation and radius of SSIM's Gaussian window in pixels, which is cut off at 3.5 sigma."""

C1, C2 = 0.01**2, 0.03**2
"""SSIM's constants at a data range of 1."""

BATCH = 16
"""Number of image pairs that are compared at a time."""


def low_level(seen: Images, reconstructed: Images, device: torch.device | str = "cpu") -> dict[str, np.ndarray]:
    """Compute both metrics of each pair of images, which are scaled once.

    ``pixcorr`` is Pearson's correlation of all RGB values; 0 where an image has one value only. ``ssim`` is the
    structural similarity (Wang et al. 2004) in grey, as scikit-image computes it for MindEye:
    ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1``.

    Args:
        seen: (n, height, width, 3) uint8 images.
        reconstructed: (n, height, width, 3) uint8 reconstructions of them.
        device: device to compute on.

    Returns:
        (n,) values by name of the metric.

    Raises:
        InputError: no such images, fewer than two, or shapes that differ.
    """
    check_images("seen", seen)
    check_alike("reconstructed", reconstructed, "seen", seen)
    check_images("reconstructed", reconstructed)
    parts: dict[str, list[Tensor]] = {"pixcorr": [], "ssim": []}
    for k in range(0, len(seen), BATCH):
        pair = [resize_images(images[k : k + BATCH], SIDE, device) for images in (seen, reconstructed)]
        parts["pixcorr"].append(_pearson(*pair))
        parts["ssim"].append(_structural(*pair))
    return {metric: torch.cat(values).double().cpu().numpy() for metric, values in parts.items()}


def _pearson(first: Tensor, second: Tensor) -> Tensor:
    first, second = (x.flatten(1) - x.flatten(1).mean(1, keepdim=True) for x in (first, second))

    def product(x: Tensor, y: Tensor) -> Tensor:
        return (x * y).sum(1, dtype=torch.float64)  # of half a million numbers

    norm = (product(first, first) * product(second, second)).sqrt()
    # What is left of a flat picture is rounding.
    return torch.where(norm > 1e-6 * first.shape[1], product(first, second) / norm.clamp_min(1e-12), 0.0)


def _window(device: torch.device) -> Tensor:
    """Return the Gaussian window along one axis, as a matrix (SIDE - 2 RADIUS, SIDE): rows of whole windows only."""
    steps = torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float64)
    weights = torch.exp(-(steps**2) / (2 * SIGMA**2))
    rows = torch.zeros(SIDE - 2 * RADIUS, SIDE)
    for k in range(len(rows)):
        rows[k, k : k + len(steps)] = weights / weights.sum()
    return rows.to(device)


def _structural(first: Tensor, second: Tensor) -> Tensor:
    weights = torch.tensor(GREY, device=first.device)
    first, second = (torch.einsum("nchw,c->nhw", x, weights) for x in (first, second))
    window = _window(first.device)
    mean1, mean2, square1, square2, product = (
        window @ x @ window.T for x in (first, second, first * first, second * second, first * second)
    )
    covariance = product - mean1 * mean2
    variances = square1 - mean1**2 + square2 - mean2**2
    alike = (2 * mean1 * mean2 + C1) * (2 * covariance + C2)
    return (alike / ((mean1**2 + mean2**2 + C1) * (variances + C2))).mean((1, 2))
