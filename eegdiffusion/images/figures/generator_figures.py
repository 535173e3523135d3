"""Figures of an image generator, from what ``prepare_generator`` wrote."""

import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from eegdiffusion.core.observe.figures.image_grid import image_grid
from eegdiffusion.core.observe.figures.style import blank_figure
from eegdiffusion.core.storage.array_file import map_array
from eegdiffusion.images.generation.previews import SHEET_FILE, read_previews


def _label(name: str) -> str:
    """Say in words what a preview shows."""
    if name.startswith("guidance_"):
        return f"of its prompt, w = {name.removeprefix('guidance_')}"
    return {"seen": "seen", "decoded": "decoded latent"}[name]


def draw_generator(folder: Path) -> dict[str, Figure]:
    """Draw test images beside what the autoencoder keeps of them and what the generator makes of their prompts.

    Args:
        folder: output ``generator`` of ``prepare_generator``.

    Returns:
        ``generator`` and, of a generator that has it, ``held_out_captions``.
    """
    corpus = json.loads((folder / "metrics.json").read_text())["corpus"]
    rows = {_label(name): images for name, images in read_previews(folder).items()}
    figures = {"generator": image_grid(rows, f"Generator, test pictures and their concepts' prompts ({corpus} data)")}
    sheet = folder / SHEET_FILE
    if sheet.is_file():
        figures["held_out_captions"] = _draw_sheet(map_array(sheet))
    return figures


def _draw_sheet(pixels: np.ndarray) -> Figure:
    figure = blank_figure("Pictures of captions that were held out of the generator's training", 7.0, 7.4)
    axes = figure.subplots()
    axes.imshow(pixels)
    axes.set_axis_off()
    return figure
