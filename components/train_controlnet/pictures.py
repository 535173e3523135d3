"""Figures of a trained SGDM: pictures of test images beside those seen, and its learning curves."""

from collections.abc import Mapping

import numpy as np
import pandas
import torch
from matplotlib.figure import Figure

from components.train_controlnet.settings import TrainControlNet
from eegdiffusion.core.observe.figures.image_grid import image_grid
from eegdiffusion.core.observe.figures.learning_curves import learning_curves
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs
from eegdiffusion.images.figures.structure_figures import draw_maps
from eegdiffusion.images.generation.image_sampling import seeds_for
from eegdiffusion.images.sgdm.sgdm import SGDM
from eegdiffusion.images.structure.structure_maps import StructureMaps


@torch.inference_mode()
def draw(
    sgdm: SGDM, epochs: PairedEpochs, seen: np.ndarray, structure: StructureMaps, curves: list[Mapping[str, float]],
    settings: TrainControlNet, facts: dict,
) -> dict[str, Figure]:  # fmt: skip
    """Draw pictures of test epochs drawn at random, and learning curves.

    Args:
        sgdm: trained.
        epochs: of the test split.
        seen: (images, side, side, 3) uint8.
        structure: maps of the images.
        curves: a row a round.
        settings: of the stage.
        facts: ``metrics.json``.
    """
    rows = np.random.default_rng(settings.seed).permutation(len(epochs))[: settings.shown]
    batch = epochs.__getitems__(rows.tolist())
    device = sgdm.generator.unet.device
    eeg, subject = (torch.from_numpy(batch[name]).to(device) for name in ("eeg", "subject"))
    maps, features, seeds = (
        sgdm.predictor.typical(eeg, subject),
        sgdm.semantics(eeg, subject),
        seeds_for(len(eeg), 1, 0),
    )
    pictures = {
        "seen": seen[batch["image"]],
        "structure": draw_maps(structure[batch["image"]]),
        "structure from EEG": draw_maps(maps.cpu().numpy()),
    }
    arms = {"full": (features, maps), "features alone": (features, None), "structure alone": (None, maps)}
    for name, conditions in arms.items():
        pictures[name] = sgdm.pictures(*conditions, seeds, settings.sampling, settings.control)
    title = f"SGDM, test images, averages of {facts['repetitions']} ({facts['corpus']} data)"
    panels = {"train_loss": "training loss", "validation_loss": "validation loss"}
    return {
        "pictures": image_grid(pictures, title),
        "curves": learning_curves(
            {"ControlNet": [pandas.DataFrame(curves)]}, panels, f"ControlNet ({facts['corpus']} data)"
        ),
    }
