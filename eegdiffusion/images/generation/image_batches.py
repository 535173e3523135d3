"""Images of a generator, sampled and decoded batch by batch."""

from collections.abc import Iterator

import numpy as np

from eegdiffusion.images.generation.generator import Generator
from eegdiffusion.images.generation.image_sampling import Denoise, SamplingRequest, sample_batches


def image_batches(
    generator: Generator, denoise: Denoise, request: SamplingRequest, first: int = 0
) -> Iterator[np.ndarray]:
    """Sample images.

    Args:
        generator: generator of latents and images.
        denoise: its network under its conditions.
        request: what is sampled and how.
        first: image that is begun with, a multiple of the batch's size.

    Yields:
        (batch, side, side, 3) uint8.
    """
    for latents in sample_batches(denoise, generator.scheduler, request, generator.unet.device, first):
        yield generator.decode(latents)
