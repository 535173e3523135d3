"""Figures of the models of images and EEG, by the stage that trained them, drawn from what it wrote."""

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from eegdiffusion.images.figures.adaptation_figures import draw_adaptation
from eegdiffusion.images.figures.condiffusion_figures import draw_condiffusion
from eegdiffusion.images.figures.encoder_figures import draw_encoder
from eegdiffusion.images.figures.generator_figures import draw_generator
from eegdiffusion.images.figures.sgdm_figures import draw_sgdm
from eegdiffusion.images.figures.structure_figures import draw_structural_vae

DRAWING: dict[str, Callable[[Path], dict[str, Figure]]] = {
    "train_eeg_encoder": draw_encoder,
    "prepare_generator": draw_generator,
    "train_structural_vae": draw_structural_vae,
    "train_condiffusion": draw_condiffusion,
    "train_controlnet": draw_sgdm,
    "adapt": draw_adaptation,
}
"""Stage, or command, and the function that draws what it wrote to a folder."""


def draw_model(stage: str, folder: Path) -> dict[str, Figure]:
    """Draw the figures of a model by name; none of a stage that stores nothing to draw.

    Args:
        stage: stage that trained the model.
        folder: what it wrote.
    """
    return DRAWING[stage](folder) if stage in DRAWING else {}
