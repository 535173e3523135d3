"""Sampling of a generator: noise to pictures, under conditions, with classifier-free guidance."""

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge
from diffusers import DDIMScheduler, DDPMScheduler, EulerAncestralDiscreteScheduler, UniPCMultistepScheduler
from torch import Tensor
from tqdm import tqdm

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import settings

Sampler = Literal["unipc", "ddim", "euler_ancestral", "ddpm"]

SAMPLERS = {
    "unipc": UniPCMultistepScheduler,
    "ddim": DDIMScheduler,
    "euler_ancestral": EulerAncestralDiscreteScheduler,
    "ddpm": DDPMScheduler,
}
"""UniPC (Zhao et al. 2023, arXiv:2302.04867) is the fast one; SDXL-Turbo wants ``euler_ancestral`` in 1 to 4 steps."""

Denoise = Callable[[Tensor, Tensor, slice, bool], Tensor]
"""(noisy latents, steps, which items, whether without their condition) -> the network's prediction."""


@settings
class Sampling:
    """How pictures are sampled; see :func:`sample`."""

    sampler: Sampler
    steps: Annotated[int, Ge(1)]
    guidance: Annotated[float, Ge(0)]


def noise(shape: tuple[int, ...], seeds: list[int]) -> Tensor:
    """Draw standard normal noise (items, *shape), each item's from its own seed: a batch's size changes nothing."""
    return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


@torch.inference_mode()
def sample(
    denoise: Denoise, training: DDPMScheduler, shape: tuple[int, int, int], seeds: list[int], device: torch.device,
    sampler: Sampler = "unipc", steps: int = 20, guidance: float = 1.0, batch_size: int = 32, desc: str | None = None,
    start: Tensor | None = None, strength: float = 1.0,
) -> Tensor:  # fmt: skip
    """Sample latents.

    Args:
        denoise: the network under its conditions.
        training: the scheduler that the network was trained with.
        shape: of a latent.
        seeds: one an item.
        device: where the network is.
        sampler: see :data:`SAMPLERS`.
        steps: of the sampler.
        guidance: scale w of classifier-free guidance, e0 + w (e - e0) (Ho and Salimans 2022); 1: none.
        batch_size: items at a time.
        desc: of the progress bar; None: no bar.
        start: (items, *shape) scaled latents from which sampling begins, noised, as in SDEdit (arXiv:2108.01073).
        strength: share of the steps that are taken from there; 1: sampling begins from noise alone.

    Returns:
        (items, *shape), scaled latents on the CPU.

    Raises:
        InputError: there is no such sampler.
    """
    if sampler not in SAMPLERS:
        raise InputError(f"sampler: must be one of {', '.join(SAMPLERS)} (found {sampler!r})")
    parts = []
    for first in tqdm(range(0, len(seeds), batch_size), desc=desc, unit="batch", disable=desc is None):
        items = slice(first, min(first + batch_size, len(seeds)))
        scheduler = SAMPLERS[sampler].from_config(training.config)
        scheduler.set_timesteps(steps)
        chosen = seeds[items]
        latents, timesteps = noise(shape, chosen).to(device), scheduler.timesteps
        skipped = 0 if start is None else min(round((1 - strength) * len(timesteps)), len(timesteps) - 1)
        if skipped:
            timesteps = timesteps[skipped:]
            if hasattr(scheduler, "set_begin_index"):
                scheduler.set_begin_index(skipped)
            latents = scheduler.add_noise(start[items].to(device), latents, timesteps[:1].to(device))
        else:
            latents = latents * float(scheduler.init_noise_sigma)
        random = [torch.Generator().manual_seed(int(seed) + 1) for seed in chosen]
        for step in timesteps:
            scaled = scheduler.scale_model_input(latents, step)
            now = step.to(device).expand(len(chosen))
            found = denoise(scaled, now, items, False)
            if guidance != 1.0:
                without = denoise(scaled, now, items, True)
                found = without + guidance * (found - without)
            extra = {} if sampler == "unipc" else {"generator": random}
            latents = scheduler.step(found.float(), step, latents, **extra).prev_sample
        parts.append(latents.cpu())
    return torch.cat(parts)


def seeds_for(items: int, samples: int, seed: int) -> list[int]:
    """Seeds of (item, sample), item by item: those of a sample do not depend on how many there are."""
    return [
        int(np.random.SeedSequence((seed, k, s)).generate_state(1)[0]) for k in range(items) for s in range(samples)
    ]
