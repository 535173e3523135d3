"""Previews of a generator for a few images that it was not trained on: from their latents and their features."""

import numpy as np
import torch
from torch import Tensor

from eegdiffusion.images.generation.generator import Generator
from eegdiffusion.images.generation.image_sampling import SamplingRequest, sample_latents, seeds_for

GUIDANCE = (1.0, 2.0)
"""Scales of classifier-free guidance that are compared."""

PREVIEWED = 10
"""Number of images in the previews."""


def generator_previews(
    generator: Generator, images: np.ndarray, features: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Decode the images' own latents, and generate images from their features alone.

    Args:
        generator: generator that features condition.
        images: (n, side, side, 3) uint8.
        features: (n, width) features of the images.
        seed: seed of the noise.

    Returns:
        arrays (n, side, side, 3) uint8: ``seen``, ``decoded``, and ``guidance_<w>`` for each of ``GUIDANCE``.
    """
    device = generator.unet.device
    previews = {"seen": images, "decoded": generator.decode(generator.encode(images))}
    conditions = torch.from_numpy(features).to(device)

    def denoise(noisy: Tensor, steps: Tensor, items: slice, unconditional: bool) -> Tensor:
        batch = conditions[items]
        arguments = generator.condition(batch, torch.full((len(batch),), unconditional, device=device))
        return generator.unet(noisy, steps, **arguments).sample

    seeds = seeds_for(len(images), 1, seed)
    for guidance in GUIDANCE:
        request = SamplingRequest(generator.latent_shape, seeds, guidance=guidance)
        previews[f"guidance_{guidance:g}"] = generator.decode(
            sample_latents(denoise, generator.scheduler, request, device)
        )
    return previews
