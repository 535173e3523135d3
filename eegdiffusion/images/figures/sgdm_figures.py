"""Figures of SGDM, from what ``train_controlnet`` wrote."""

import json
from pathlib import Path

import pandas
from matplotlib.figure import Figure

from eegdiffusion.core.observe.figures.image_grid import image_grid
from eegdiffusion.core.observe.figures.learning_curves import learning_curves
from eegdiffusion.images.figures.structure_figures import draw_maps
from eegdiffusion.images.generation.previews import read_previews

PANELS = {"train_loss": "training loss", "validation_loss": "validation loss"}

LABELS = {
    "seen": "seen",
    "maps": "structure",
    "eeg_maps": "structure from EEG",
    "full": "full",
    "features_alone": "features alone",
    "structure_alone": "structure alone",
}
"""Names of previews and how the figure calls them."""


def draw_sgdm(folder: Path) -> dict[str, Figure]:
    """Draw images made of test epochs beside those seen, and learning curves.

    Args:
        folder: output ``controlnet`` of ``train_controlnet``.

    Returns:
        ``pictures`` and ``curves``.
    """
    facts, previews = json.loads((folder / "metrics.json").read_text()), read_previews(folder)
    rows = {
        label: draw_maps(previews[name]) if name.endswith("maps") else previews[name] for name, label in LABELS.items()
    }
    title = f"SGDM, test images, averages of {facts['repetitions']} ({facts['corpus']} data)"
    curves = {"ControlNet": [pandas.read_csv(folder / "curves.csv")]}
    return {
        "pictures": image_grid(rows, title),
        "curves": learning_curves(curves, PANELS, f"ControlNet ({facts['corpus']} data)"),
    }
