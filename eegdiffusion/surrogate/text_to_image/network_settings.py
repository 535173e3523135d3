"""Settings of the miniature's networks."""

from dataclasses import field
from typing import Annotated

from annotated_types import Ge

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Optimisation, Positive
from eegdiffusion.images.generation.denoising_settings import Denoising


@settings
class AutoencoderSettings:
    """Sizes and training of the miniature's ``AutoencoderKL``."""

    widths: list[Positive] = field(default_factory=lambda: [16, 32, 64])
    """Channels of each level; each level but the last halves the image's side."""
    layers: Positive = 1
    """Residual blocks of each level."""
    latent_channels: Positive = 4
    """Channels of a latent."""
    groups: Positive = 4
    """Groups of the group norms; they must divide every width."""
    kl_weight: Annotated[float, Ge(0)] = 1e-4
    """Weight of the KL divergence per latent unit in the loss."""
    optimisation: Optimisation
    """Optimiser and stopping rule of the autoencoder's training."""


@settings
class DenoiserSettings:
    """Sizes and training of the miniature's ``UNet2DConditionModel`` and of what conditions it."""

    widths: list[Positive] = field(default_factory=lambda: [64, 128])
    """Channels of each level; all levels but the first attend to the condition."""
    layers: Positive = 1
    """Residual blocks of each level."""
    head_width: Positive = 32
    """Channels of an attention head."""
    groups: Positive = 16
    """Groups of the group norms; they must divide every width."""
    denoising: Denoising = Denoising()
    """Loss of the UNet."""
    optimisation: Optimisation
    """Optimiser and stopping rule of the UNet's training."""


@settings
class TextEncoderSettings:
    """Sizes of the miniature's ``CLIPTextModel``."""

    layers: Positive = 2
    """Number of transformer layers."""
    heads: Positive = 4
    """Number of attention heads of a layer."""
    width: Positive = 64
    """Width of the text encoder, and of the UNet's cross-attention."""
    tokens: Positive = 77
    """Number of positions that the encoder has embeddings for."""
