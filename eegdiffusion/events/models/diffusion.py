"""The diffusion process of EEGDM: 50 DDPM steps, velocity prediction: loss, forward process, sampling."""

import torch
from diffusers import DDIMScheduler, DDPMScheduler
from torch import Tensor, nn

from eegdiffusion.core.runtime.errors import InputError

SCHEDULES = ("squaredcos_cap_v2", "linear")
SAMPLERS = ("ddpm", "ddim")
NOISES = ("none", "scaled", "random")


def noise_scheduler(
    beta_schedule: str = "squaredcos_cap_v2", steps: int = 50, sampler: str = "ddpm", clip_sample: bool = True
) -> DDPMScheduler | DDIMScheduler:
    """Make the noise schedule.

    Args:
        beta_schedule: ``squaredcos_cap_v2`` (base) or ``linear``, from 1e-4 to 0.05.
        steps: T.
        sampler: ``ddpm``, or ``ddim`` for deterministic sampling in fewer steps (Song et al. 2021, arXiv:2010.02502).
        clip_sample: clip the predicted clean signal to [-1, 1] when sampling, as the public implementation does.
            Embedded signals exceed 1 wherever raw ones do, so this cuts large waves.
    """
    for name, value, admitted in (("beta_schedule", beta_schedule, SCHEDULES), ("sampler", sampler, SAMPLERS)):
        if value not in admitted:
            raise InputError(f"{name}: must be one of {', '.join(admitted)} (found {value!r})")
    options = {"timestep_spacing": "trailing"} if sampler == "ddim" else {}
    return (DDIMScheduler if sampler == "ddim" else DDPMScheduler)(
        num_train_timesteps=steps,
        beta_start=1e-4,
        beta_end=0.05,
        beta_schedule=beta_schedule,
        prediction_type="v_prediction",
        clip_sample=clip_sample,
        **options,
    )


def velocity_loss(
    model: nn.Module, schedule: DDPMScheduler, x: Tensor, step: Tensor, channel: Tensor, noise: Tensor
) -> Tensor:
    """Return the mean squared error between the predicted and the true velocity (Salimans & Ho, arXiv:2202.00512).

    Args:
        model: SSMDP, or any network with its forward.
        schedule: noise schedule, from :func:`noise_scheduler`.
        x: clean signals, (B, 1, L).
        step: diffusion steps, (B, 1), uniform in 0..T-1.
        channel: montage index, (B, 1).
        noise: standard normal, (B, 1, L).
    """
    noised = schedule.add_noise(x, noise, step[:, 0])
    velocity = schedule.get_velocity(x, noise, step[:, 0])
    return torch.nn.functional.mse_loss(model(noised, step, channel).float(), velocity)


def forward_process(
    signals: Tensor, step: int | None, noise: str, schedule: DDPMScheduler, generator: torch.Generator | None = None
) -> Tensor:
    """Make the signals that the ablations of the latents feed to the backbone (EEGDM, arXiv:2508.14086).

    Args:
        signals: clean signals, (B, ...).
        step: 0-based diffusion step; it may be None where ``noise`` is ``none``.
        noise: ``none``: as they are; ``scaled``: the forward process with zero noise; ``random``: the forward process.
        schedule: noise schedule, from :func:`noise_scheduler`.
        generator: source of the noise where ``noise`` is ``random``; the noise is drawn on its device.

    Returns:
        signals of the same shape.

    Raises:
        InputError: ``noise`` is none of the three, or lacks the step or the generator that it needs.
    """
    if noise not in NOISES:
        raise InputError(f"noise: must be one of {', '.join(NOISES)} (found {noise!r})")
    if noise == "none":
        return signals
    if step is None:
        raise InputError(f"step: must be given for noise {noise!r} (found None)")
    if noise == "scaled":
        draw = torch.zeros_like(signals)
    elif generator is None:
        raise InputError("generator: must be given for noise 'random' (found None)")
    else:
        draw = torch.randn(signals.shape, generator=generator, device=generator.device).to(signals)
    return schedule.add_noise(signals, draw, torch.full((len(signals),), step, device=signals.device))


@torch.no_grad()
def sample(
    model: nn.Module,
    channel: Tensor,
    length: int,
    generator: torch.Generator,
    sampler: str = "ddpm",
    clip_sample: bool = True,
    steps: int = 10,
) -> Tensor:
    """Generate EEG by the reverse process of the model's own schedule.

    Args:
        model: SSMDP.
        channel: montage index of each signal, (B, 1).
        length: samples.
        generator: source of all randomness.
        sampler: ``ddpm`` walks t = T - 1 .. 1 and, like the public implementation, leaves out t = 0; ``ddim`` walks
            ``steps`` evenly spaced steps.
        clip_sample: see :func:`noise_scheduler`.
        steps: steps of ``ddim``; ``ddpm`` takes no notice of it.

    Returns:
        (B, 1, L) in the embedded units of the training data.
    """
    total = model.config.num_train_timesteps
    schedule = noise_scheduler(model.config.beta_schedule, total, sampler, clip_sample)
    schedule.set_timesteps(total if sampler == "ddpm" else steps)
    walk = schedule.timesteps[:-1] if sampler == "ddpm" else schedule.timesteps
    x = torch.randn((len(channel), 1, length), generator=generator, device=generator.device).to(channel.device)
    for t in walk.tolist():
        velocity = model(x, torch.full_like(channel, t), channel)
        x = schedule.step(velocity, t, x, generator=generator).prev_sample
    return x
