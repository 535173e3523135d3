"""Sampling of a generator: noise to latents of images, under conditions, with classifier-free guidance."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, EulerAncestralDiscreteScheduler, UniPCMultistepScheduler
from torch import Tensor

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.images.generation.sampling_settings import Sampler, Sampling

SAMPLERS = {
    "unipc": UniPCMultistepScheduler,
    "ddim": DDIMScheduler,
    "euler_ancestral": EulerAncestralDiscreteScheduler,
    "ddpm": DDPMScheduler,
}
"""UniPC (Zhao et al. 2023, arXiv:2302.04867) is the fast one; SDXL-Turbo wants ``euler_ancestral`` in 1 to 4 steps."""

Denoise = Callable[[Tensor, Tensor, slice, bool], Tensor]
"""(noisy latents, steps, which items, whether without their condition) -> the network's prediction."""

BATCH = 32
"""Number of items that are sampled at a time."""


@dataclass(frozen=True)
class SamplingRequest:
    """What is sampled and how; see :func:`sample_latents`.

    Attributes:
        shape: (channels, height, width) of a latent.
        seeds: seed of the noise of each item.
        sampler: name of the sampler, a key of :data:`SAMPLERS`.
        steps: number of steps of the sampler.
        guidance: scale w of classifier-free guidance, e0 + w (e - e0) (Ho and Salimans 2022, arXiv:2207.12598); 1 means
            none.
        start: makes for some items the scaled latents (items, *shape) that are noised and from which sampling begins,
            as in SDEdit (arXiv:2108.01073); it is asked where they are needed. None: sampling begins from noise alone.
        strength: share of the steps that are taken from ``start`` on; 1: sampling begins from noise alone.
        batch_size: number of items at a time.
        desc: label of the progress bar; None shows no bar.

    Raises:
        InputError: there is no such sampler.
    """

    shape: tuple[int, ...]
    seeds: list[int]
    sampler: Sampler = "unipc"
    steps: int = 20
    guidance: float = 1.0
    start: Callable[[slice], Tensor] | None = None
    strength: float = 1.0
    batch_size: int = BATCH
    desc: str | None = None

    def __post_init__(self):
        if self.sampler not in get_args(Sampler):
            raise InputError(f"sampler: must be one of {', '.join(get_args(Sampler))} (found {self.sampler!r})")

    @classmethod
    def of(cls, sampling: Sampling, shape: tuple[int, ...], seeds: list[int], **options) -> "SamplingRequest":
        """Make a request from settings.

        Args:
            sampling: sampler, steps and guidance.
            shape: (channels, height, width) of a latent.
            seeds: seed of the noise of each item.
            **options: other attributes, which win over the settings.
        """
        values = {"sampler": sampling.sampler, "steps": sampling.steps, "guidance": sampling.guidance}
        return cls(shape, seeds, **values | options)


def seeded_noise(shape: tuple[int, ...], seeds: list[int]) -> Tensor:
    """Draw standard normal noise (items, *shape), each item's from its own seed: a batch's size changes nothing."""
    return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


@torch.inference_mode()
def sample_batches(
    denoise: Denoise, training: DDPMScheduler, request: SamplingRequest, device: torch.device, first: int = 0
) -> Iterator[Tensor]:
    """Sample latents, batch by batch.

    Args:
        denoise: the network under its conditions.
        training: scheduler that the network was trained with.
        request: what is sampled and how.
        device: device of the network.
        first: item that is begun with, a multiple of the batch's size.

    Yields:
        (batch, *shape) scaled latents on the CPU.
    """
    size, count, desc = request.batch_size, len(request.seeds), request.desc
    for begin in progress(range(first, count, size), desc=desc, unit="batch", disable=desc is None):
        yield _sample_batch(denoise, training, request, slice(begin, min(begin + size, count)), device).cpu()


def sample_latents(denoise: Denoise, training: DDPMScheduler, request: SamplingRequest, device: torch.device) -> Tensor:
    """Sample latents at once, (items, *shape) on the CPU; the arguments are those of :func:`sample_batches`."""
    return torch.cat(list(sample_batches(denoise, training, request, device)))


def _sample_batch(
    denoise: Denoise, training: DDPMScheduler, request: SamplingRequest, items: slice, device: torch.device
) -> Tensor:
    """Sample the latents of some items of a request."""
    scheduler = SAMPLERS[request.sampler].from_config(training.config)
    scheduler.set_timesteps(request.steps)
    seeds = request.seeds[items]
    latents, timesteps = seeded_noise(request.shape, seeds).to(device), scheduler.timesteps
    start, skipped = request.start, 0
    if start is not None:
        skipped = min(round((1 - request.strength) * len(timesteps)), len(timesteps) - 1)
    if start is not None and skipped:
        timesteps = timesteps[skipped:]
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(skipped)
        latents = scheduler.add_noise(start(items).to(device), latents, timesteps[:1].to(device))
    else:
        latents = latents * float(scheduler.init_noise_sigma)
    generators = [torch.Generator().manual_seed(int(seed) + 1) for seed in seeds]
    for step in timesteps:
        scaled = scheduler.scale_model_input(latents, step)
        steps = step.to(device).expand(len(seeds))
        prediction = denoise(scaled, steps, items, False)
        if request.guidance != 1.0:
            unconditional = denoise(scaled, steps, items, True)
            prediction = unconditional + request.guidance * (prediction - unconditional)
        extra = {} if request.sampler == "unipc" else {"generator": generators}
        latents = scheduler.step(prediction.float(), step, latents, **extra).prev_sample
    return latents


def seeds_for(items: int, samples: int, seed: int) -> list[int]:
    """Derive the seeds of the noise of items' samples, which do not depend on how many items or samples there are.

    Args:
        items: number of items.
        samples: number of samples of each item.
        seed: seed that they are derived from.

    Returns:
        (items * samples,) seeds, item by item.
    """
    return [
        int(np.random.SeedSequence((seed, k, s)).generate_state(1)[0]) for k in range(items) for s in range(samples)
    ]
