"""Previews of a generator: what its autoencoder keeps of a few images, and what it makes of prompts for them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from eegdiffusion.images.generation.generator import Generator
from eegdiffusion.images.generation.image_batches import image_batches
from eegdiffusion.images.generation.image_sampling import SamplingRequest, seeds_for
from eegdiffusion.images.generation.sampling_settings import Sampling

PREVIEWED = 10
"""Number of images in the previews."""


def generator_previews(
    generator: Generator, images: np.ndarray, prompts: Sequence[str], sampling: Sampling, seed: int
) -> dict[str, np.ndarray]:
    """Decode the images' own latents, and generate images of prompts.

    Args:
        generator: generator that reads text; of SDXL, which has two text encoders, prompts are left out.
        images: (n, side, side, 3) uint8.
        prompts: (n,) prompts for them.
        sampling: how images are sampled.
        seed: seed of the noise.

    Returns:
        arrays (n, side, side, 3) uint8: ``seen``, ``decoded``, and ``guidance_<w>`` without and with guidance.
    """
    previews = {"seen": images, "decoded": generator.decode(generator.encode(images))}
    if generator.unet.config.addition_embed_type is None:
        for guidance in sorted({1.0, sampling.guidance}):
            pictures = images_of_prompts(generator, prompts, replace(sampling, guidance=guidance), seed)
            previews[f"guidance_{guidance:g}"] = pictures
    return previews


def images_of_prompts(
    generator: Generator, prompts: Sequence[str], sampling: Sampling, seed: int, desc: str | None = None
) -> np.ndarray:
    """Sample an image of each prompt.

    Args:
        generator: generator with one text encoder.
        prompts: prompts.
        sampling: how images are sampled; guidance is against the empty prompt.
        seed: seed of the noise.
        desc: label of the progress bar; None shows no bar.

    Returns:
        (prompts, side, side, 3) uint8.
    """
    device, tokenizer = generator.unet.device, generator.tokenizer
    length = generator.text_encoder.config.max_position_embeddings
    ids = tokenizer(
        [*prompts, ""], padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    ).input_ids
    with torch.inference_mode():
        hidden = generator.text_encoder(ids.to(device)).last_hidden_state

    def denoise(noisy: Tensor, steps: Tensor, items: slice, unconditional: bool) -> Tensor:
        seen = hidden[-1:].expand(len(noisy), -1, -1) if unconditional else hidden[:-1][items]
        return generator.unet(noisy, steps, encoder_hidden_states=seen).sample

    request = SamplingRequest.of(sampling, generator.latent_shape, seeds_for(len(prompts), 1, seed), desc=desc)
    return np.concatenate(list(image_batches(generator, denoise, request)))
