"""Figures of an image generator: pictures it was not trained on, and its learning curves."""

from collections.abc import Mapping

import numpy as np
import pandas
import torch
from matplotlib.figure import Figure

from eegdiffusion.core.observe.figures.image_grid import image_grid
from eegdiffusion.core.observe.figures.learning_curves import learning_curves
from eegdiffusion.core.training.fit import Fitted
from eegdiffusion.images.generation.generator import Generator
from eegdiffusion.images.generation.image_sampling import sample, seeds_for

GUIDANCE = (1.0, 2.0)


def draw(
    generator: Generator, seen: np.ndarray, features: np.ndarray, seed: int, curves: Mapping[str, Fitted], corpus: str
) -> dict[str, Figure]:
    """Draw what the generator makes of pictures' own latents and of their features alone, and how it was trained.

    Args:
        generator: with features for a condition.
        seen: (n, side, side, 3) uint8.
        features: (n, width).
        seed: of the noise.
        curves: trainings by name; none of a generator that the user gave.
        corpus: for the titles.
    """
    device = generator.unet.device
    drawn = {"seen": seen, "decoded latent": generator.decode(generator.encode(seen))}
    given = torch.from_numpy(features).to(device)

    def denoise(noisy: torch.Tensor, steps: torch.Tensor, items: slice, without: bool) -> torch.Tensor:
        part = given[items]
        condition = generator.condition(part, torch.full((len(part),), without, device=device))
        return generator.unet(noisy, steps, **condition).sample

    for guidance in GUIDANCE:
        latents = sample(
            denoise, generator.scheduler, generator.latent_shape, seeds_for(len(seen), 1, seed), device,
            guidance=guidance,
        )  # fmt: skip
        drawn[f"from features, w = {guidance:g}"] = generator.decode(latents)
    figures = {"generator": image_grid(drawn, f"Generator, pictures it was not trained on ({corpus} data)")}
    if curves:
        tables = {name: [pandas.DataFrame(done.curves)] for name, done in curves.items()}
        panels = {"train_loss": "training loss", "validation_loss": "validation loss"}
        figures["curves"] = learning_curves(tables, panels, f"Small generator ({corpus} data)")
    return figures
