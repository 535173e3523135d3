"""Figures of the models of images and EEG, by the stage that trained them, drawn from what it wrote."""

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from eegdiffusion.images.figures.encoder_figures import draw_encoder

DRAWING: dict[str, Callable[[Path], dict[str, Figure]]] = {"train_eeg_encoder": draw_encoder}
"""Stage and the function that draws what it wrote to a folder."""


def draw_model(stage: str, folder: Path) -> dict[str, Figure]:
    """Draw the figures of a model by name; none of a stage that stores nothing to draw.

    Args:
        stage: stage that trained the model.
        folder: what it wrote.
    """
    return DRAWING[stage](folder) if stage in DRAWING else {}
