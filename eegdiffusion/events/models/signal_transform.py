"""A frozen backbone on disk, with what signals have to pass before they enter it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montages import Montage, electrodes_of
from eegdiffusion.core.signal.mulaw import mulaw
from eegdiffusion.core.storage.model_hub import load_folder
from eegdiffusion.events.models.diffusion import forward_process, noise_scheduler
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.models.latents import order_parts
from eegdiffusion.events.models.ssmdp import PART, SSMDP

TRANSFORM = "signal_transform.json"
"""File of a backbone's folder that holds the fields of :class:`SignalTransform`."""


@dataclass(frozen=True)
class SignalTransform:
    """What signals a backbone expects.

    Attributes:
        mu_law: whether they pass the staged mu-law.
        rate_hz: their sampling rate.
        unit: their unit before the mu-law.
        channels: derivations or electrodes that the numbers of channels count, in order.
    """

    mu_law: bool
    rate_hz: float
    unit: str
    channels: list[str]


def save(path: Path, backbone: SSMDP, transform: SignalTransform) -> None:
    """Write weights, sizes and signal transform to a folder."""
    backbone.save_pretrained(path)
    (path / TRANSFORM).write_text(json.dumps(transform.__dict__, indent=2))


def load(path: Path) -> tuple[SSMDP, SignalTransform]:
    """Read what :func:`save` wrote; the backbone comes frozen, in evaluation mode."""
    if not (path / TRANSFORM).is_file():
        raise InputError(f"{path}/{TRANSFORM}: no such file; a backbone is made by pretrain_ssmdp or import_checkpoint")
    backbone = load_folder(SSMDP, path).eval().requires_grad_(False)
    return backbone, SignalTransform(**json.loads((path / TRANSFORM).read_text()))


def check_channels(transform: SignalTransform, montage: Montage, where: str) -> None:
    """Check that the numbers of a corpus's channels are those that a backbone learned.

    Args:
        transform: what the backbone expects.
        montage: channels of the corpus.
        where: what names the backbone, for the error.

    Raises:
        InputError: they count other derivations or electrodes.
    """
    learned, counted = ([sorted(electrodes_of(name)) for name in n] for n in (transform.channels, montage.id_names))
    if learned != counted:
        raise InputError(
            f"{where}: channel_ids: the backbone must know the numbers of montage {montage.name}, which count "
            f"{', '.join(montage.id_names)} (found one that was pretrained on {', '.join(transform.channels)}); "
            "pretrain it on a corpus of the same numbers, or let the corpus have `channel_ids: tcp22`"
        )


def tokens(
    backbone: SSMDP,
    transform: SignalTransform,
    latents: Latents,
    signals: Tensor,
    generator: torch.Generator | None = None,
    channels: Sequence[int] | None = None,
    window: int | None = None,
    statistics: Sequence[str] | None = None,
    check: bool = True,
    parts: str = "physical",
) -> Tensor:
    """Transform signals, take them through the forward process that ``latents`` names, and pool the latents.

    Args:
        backbone: the frozen backbone.
        transform: what its signals have to pass first.
        latents: which latents to take, and what enters the backbone.
        signals: (batch, channels, samples) in the transform's unit, at its rate; resampled when ``latents.rate`` asks.
        generator: source of the noise where ``latents.noise`` is ``random``, which needs one.
        channels: number of each channel; None: all that the backbone knows, in order.
        window: samples to a pool; None: those of ``latents.pool_s``.
        statistics: of several, tokens have one after another; None: that of ``latents``.
        check: refuse constant and clipped channels.
        parts: order of the parts of windows longer than 5 s, see :func:`.order_parts`.

    Returns:
        (batch, layers, pools, channels, width) float32.
    """
    if latents.rate != 1:
        from scipy.signal import resample

        resampled = resample(signals.numpy(force=True), round(signals.shape[-1] * latents.rate), axis=-1)
        signals = torch.from_numpy(resampled).to(signals)
    signals = order_parts(signals, round(PART * latents.rate), parts)
    if transform.mu_law:
        signals = mulaw(signals)
    if window is None and latents.pool_s is not None:
        window = round(latents.pool_s * transform.rate_hz * latents.rate)
    schedule = noise_scheduler(backbone.config.beta_schedule, backbone.config.num_train_timesteps)
    signals = forward_process(signals, latents.step, latents.noise, schedule, generator)
    return backbone.tokens(
        signals,
        window=window,
        statistic=statistics or latents.statistic,
        kind=latents.kind,
        step=latents.step,
        channels=channels,
        rate=latents.rate,
        rate_convention=latents.rate_convention,
        check=check,
    )
