"""Settings of a small image generator."""

from dataclasses import field
from typing import Annotated, Literal

from annotated_types import Ge

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count, Optimisation, Positive
from eegdiffusion.images.generation.denoising_settings import Denoising


@settings
class AutoencoderSettings:
    """Sizes and training of the small generator's ``AutoencoderKL``."""

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
    """Sizes and training of the small generator's ``UNet2DConditionModel`` and of what conditions it."""

    widths: list[Positive] = field(default_factory=lambda: [64, 128])
    """Channels of each level; all levels but the first attend to the condition."""
    layers: Positive = 1
    """Residual blocks of each level."""
    head_width: Positive = 32
    """Channels of an attention head."""
    groups: Positive = 16
    """Groups of the group norms; they must divide every width."""
    tokens: Positive = 4
    """Number of tokens that stand for the image features in cross-attention."""
    denoising: Denoising = Denoising()
    """Loss of the UNet."""
    optimisation: Optimisation
    """Optimiser and stopping rule of the UNet's training."""


@settings
class TextEncoderSettings:
    """Sizes of the small generator's ``CLIPTextModel``; its weights stay random until EEG-ConDiffusion trains them."""

    layers: Positive = 2
    """Number of transformer layers."""
    heads: Positive = 4
    """Number of attention heads of a layer."""
    width: Positive = 64
    """Width of the text encoder, and of the UNet's cross-attention."""
    tokens: Positive = 77
    """Number of positions that the encoder has embeddings for."""


@settings
class NoiseScheduleSettings:
    """Noise schedule of the small generator; a pipeline that the user gives brings its own."""

    steps: Positive = 1000
    """Number of diffusion steps in training."""
    beta_schedule: Literal["scaled_linear", "linear", "squaredcos_cap_v2"] = "scaled_linear"
    """How the noise grows over the steps, by diffusers' names."""
    prediction_type: Literal["epsilon", "v_prediction"] = "v_prediction"
    """What the UNet predicts: the noise, or the velocity."""


@settings
class SmallGeneratorSettings:
    """Sizes and training of a small image generator."""

    image_size: Annotated[int, Ge(8)] = 32
    """Side of the generated images in pixels."""
    seed: Count = 0
    """Seed of the weights, of the order of images and of all noise in training."""
    diffusion: NoiseScheduleSettings = NoiseScheduleSettings()
    """Noise schedule that the generator is trained with."""
    autoencoder: AutoencoderSettings
    """Autoencoder, which is trained first."""
    network: DenoiserSettings
    """UNet, which is trained on the autoencoder's latents."""
    text_encoder: TextEncoderSettings = TextEncoderSettings()
    """Text encoder, which is not trained here."""
