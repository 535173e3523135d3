"""Figures of a structural VAE, from what ``train_structural_vae`` wrote, and structure maps as images."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from eegdiffusion.core.observe.figures.image_grid import image_grid
from eegdiffusion.core.observe.figures.style import COLOURS
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.generation.previews import read_previews
from eegdiffusion.images.structure.structure_maps import CHANNELS

PALETTE = np.array([to_rgb(colour) for colour in ("#FFFFFF", *COLOURS, "#404040")])
"""Colours (RGB, from 0 to 1) of the background and of a tangram's seven pieces."""

EEG_MAPS = "eeg_maps_"
"""Prefix of the names of the previews of a subject."""


def draw_maps(maps: np.ndarray) -> np.ndarray:
    """Draw structure maps: one channel in grey, three as colours, eight as a tangram's ground and pieces.

    Args:
        maps: (n, channels, height, width) from 0 to 1.

    Returns:
        (n, height, width, 3) uint8.

    Raises:
        InputError: the maps have a number of channels that no kind of map has.
    """
    channels = maps.shape[1]
    if channels not in set(CHANNELS.values()):
        raise InputError(f"structure: must have {sorted(set(CHANNELS.values()))} channels (found {channels})")
    maps = np.asarray(maps, np.float32)
    colours = np.einsum("nchw,cd->nhwd", maps, PALETTE) if channels == len(PALETTE) else maps.transpose(0, 2, 3, 1)
    return np.round(255 * np.broadcast_to(colours, (*colours.shape[:3], 3)).clip(0, 1)).astype(np.uint8)


def _grids(previews: Mapping[str, np.ndarray], map_kind: str, title: str) -> dict[str, Figure]:
    """Draw reconstructions and structure maps; see :func:`draw_structural_vae`."""
    images = {"picture": previews["seen"]}
    truth = {map_kind: draw_maps(previews["maps"])}
    of_vae = {f"{map_kind}, VAE": draw_maps(previews["vae_maps"])}
    of_eeg = {
        f"from EEG, {name.removeprefix(EEG_MAPS)}": draw_maps(maps)
        for name, maps in previews.items()
        if name.startswith(EEG_MAPS)
    }
    mean_field = {"mean field": draw_maps(previews["mean_field"])}
    decoded = {"VAE": previews["decoded"]}
    return {
        "reconstructions": image_grid(images | decoded | truth | of_vae, f"Test pictures, reconstructed, {title}"),
        "structure": image_grid(images | truth | of_vae | of_eeg | mean_field, f"Structure of test pictures, {title}"),
    }


def _traversals(previews: Mapping[str, np.ndarray], map_kind: str, title: str) -> Figure:
    """Draw what decoding gives along the first principal axes of the latents."""
    rows: dict[str, np.ndarray] = {}
    pairs = zip(previews["traversal_images"], previews["traversal_maps"], strict=True)
    for k, (images, maps) in enumerate(pairs, start=1):
        rows |= {f"axis {k}: picture": images, f"axis {k}: {map_kind}": draw_maps(maps)}
    figure = image_grid(rows, f"Principal axes of the latents, {title}")
    for ax, step in zip(figure.axes, previews["traversal_steps"], strict=False):
        ax.set_title(f"{step:+g} sd", fontsize=9)
    return figure


def draw_structural_vae(folder: Path) -> dict[str, Figure]:
    """Draw reconstructions, structure maps and traversals of latents.

    Args:
        folder: output ``structure`` of ``train_structural_vae``.

    Returns:
        ``reconstructions``, ``structure`` and ``traversals``.
    """
    facts, previews = json.loads((folder / "metrics.json").read_text()), read_previews(folder)
    map_kind, title = facts["structure"], f"{facts['corpus']} data"
    return _grids(previews, map_kind, title) | {"traversals": _traversals(previews, map_kind, title)}
