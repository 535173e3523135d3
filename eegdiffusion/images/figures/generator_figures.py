"""Figures of an image generator, from what ``prepare_generator`` wrote."""

import json
from pathlib import Path

import pandas
from matplotlib.figure import Figure

from eegdiffusion.core.observe.figures.image_grid import image_grid
from eegdiffusion.core.observe.figures.learning_curves import learning_curves
from eegdiffusion.images.generation.previews import read_previews

TRAININGS = ("autoencoder", "network")
"""Trainings of a small generator, each with a file ``<name>_curves.csv``."""

PANELS = {"train_loss": "training loss", "validation_loss": "validation loss"}


def _label(name: str) -> str:
    """Say in words what a preview shows."""
    if name.startswith("guidance_"):
        return f"from features, w = {name.removeprefix('guidance_')}"
    return {"seen": "seen", "decoded": "decoded latent"}[name]


def draw_generator(folder: Path) -> dict[str, Figure]:
    """Draw images that the generator was not trained on beside what it makes of them, and its learning curves.

    Args:
        folder: output ``generator`` of ``prepare_generator``.

    Returns:
        ``generator``, and ``curves`` where the generator was trained here.
    """
    corpus = json.loads((folder / "metrics.json").read_text())["corpus"]
    rows = {_label(name): images for name, images in read_previews(folder).items()}
    figures = {"generator": image_grid(rows, f"Generator, pictures it was not trained on ({corpus} data)")}
    paths = {name: folder / f"{name}_curves.csv" for name in TRAININGS}
    curves = {name: [pandas.read_csv(path)] for name, path in paths.items() if path.is_file()}
    if curves:
        figures["curves"] = learning_curves(curves, PANELS, f"Small generator ({corpus} data)")
    return figures
