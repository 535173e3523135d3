"""Figures of EEG-ConDiffusion, from what ``train_condiffusion`` wrote."""

import json
from pathlib import Path

import pandas
from matplotlib.figure import Figure

from eegdiffusion.core.observe.figures.image_grid import image_grid
from eegdiffusion.core.observe.figures.learning_curves import learning_curves
from eegdiffusion.images.generation.previews import read_previews

PANELS = {"train_loss": "training loss", "validation_loss": "validation loss"}


def draw_condiffusion(folder: Path) -> dict[str, Figure]:
    """Draw loss curves, and images made of test epochs beside those seen and those of the controls.

    Args:
        folder: output ``model`` of ``train_condiffusion``.

    Returns:
        ``curves`` and ``samples``.
    """
    facts = json.loads((folder / "metrics.json").read_text())
    title = f"EEG-ConDiffusion ({facts['corpus']} data)"
    trials = "a trial" if facts["repetitions"] == 1 else f"{facts['repetitions']} trials"
    labels = {"seen": "seen", "zeroed_eeg": "zeroed EEG", "other_eeg": "another image's"}
    rows = {
        labels.get(name, f"from {trials}, {name.removeprefix('eeg_')}"): images
        for name, images in read_previews(folder).items()
    }
    curves = {"condiffusion": [pandas.read_csv(folder / "curves.csv")]}
    return {
        "curves": learning_curves(curves, PANELS, title),
        "samples": image_grid(rows, f"Pictures of test epochs, {title}"),
    }
