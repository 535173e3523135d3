"""Pictures of a structural VAE: reconstructions, structure maps, traversals of its latents."""

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from eegdiffusion.core.observe.figures.image_grid import image_grid
from eegdiffusion.core.observe.figures.style import COLOURS
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.structure.structure_maps import CHANNELS

PALETTE = np.array([to_rgb(colour) for colour in ("#FFFFFF", *COLOURS, "#404040")])
"""Of the background and a tangram's seven pieces."""

STEPS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""Standard deviations of a traversal."""


def draw_maps(maps: np.ndarray) -> np.ndarray:
    """Draw structure maps: one channel in grey, three as colours, eight as a tangram's ground and pieces.

    Args:
        maps: (n, channels, height, width) from 0 to 1.

    Returns:
        (n, height, width, 3) uint8

    Raises:
        InputError: another number of channels.
    """
    channels = maps.shape[1]
    if channels not in set(CHANNELS.values()):
        raise InputError(f"structure: must have {sorted(set(CHANNELS.values()))} channels (found {channels})")
    maps = np.asarray(maps, np.float32)
    drawn = np.einsum("nchw,cd->nhwd", maps, PALETTE) if channels == len(PALETTE) else maps.transpose(0, 2, 3, 1)
    return np.round(255 * np.broadcast_to(drawn, (*drawn.shape[:3], 3)).clip(0, 1)).astype(np.uint8)


def principal_axes(latents: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean latent, and the axes along which latents (n, ...) vary most, as long as a standard deviation."""
    flat = latents.reshape(len(latents), -1)
    mean = flat.mean(0)
    _, lengths, axes = np.linalg.svd(flat - mean, full_matrices=False)
    axes = axes[:count] * lengths[:count, None] / np.sqrt(len(flat))
    return mean.reshape(latents.shape[1:]), axes.reshape(-1, *latents.shape[1:])


def traversals(
    latents: np.ndarray, decode: Callable[[np.ndarray], Mapping[str, np.ndarray]], title: str, count: int = 3
) -> Figure:
    """Draw what decoding gives along the first principal axes of latents, from -3 to 3 standard deviations.

    Args:
        latents: of the training pictures, (n, ...).
        decode: latents -> pictures of each kind by name, e.g. the picture and its structure.
        title: of the figure.
        count: of axes.
    """
    mean, axes = principal_axes(latents, count)
    rows = {}
    for k, axis in enumerate(axes, start=1):
        steps = np.stack([mean + step * axis for step in STEPS]).astype(np.float32)
        rows |= {f"axis {k}: {name}": pictures for name, pictures in decode(steps).items()}
    figure = image_grid(rows, title)
    for ax, step in zip(figure.axes, STEPS, strict=False):
        ax.set_title(f"{step:+g} sd", fontsize=9)
    return figure
