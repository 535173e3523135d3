"""Settings of a small image generator."""

from typing import Annotated, Literal

from annotated_types import Ge

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count, Optimisation, Positive
from eegdiffusion.images.generation.denoising_settings import Denoising


@settings
class AutoencoderSettings:
    """Sizes and training of the small generator's ``AutoencoderKL``."""

    widths: list[Positive]
    """Channels of each level; each level but the last halves the image's side."""
    layers: Positive
    """Residual blocks of each level."""
    latent_channels: Positive
    """Channels of a latent."""
    groups: Positive
    """Groups of the group norms; they must divide every width."""
    kl_weight: Annotated[float, Ge(0)]
    """Weight of the KL divergence per latent unit in the loss."""
    optimisation: Optimisation
    """Optimiser and stopping rule of the autoencoder's training."""


@settings
class DenoiserSettings:
    """Sizes and training of the small generator's ``UNet2DConditionModel`` and of what conditions it."""

    widths: list[Positive]
    """Channels of each level; all levels but the first attend to the condition."""
    layers: Positive
    """Residual blocks of each level."""
    head_width: Positive
    """Channels of an attention head."""
    groups: Positive
    """Groups of the group norms; they must divide every width."""
    tokens: Positive
    """Number of tokens that stand for the image features in cross-attention."""
    denoising: Denoising
    """Loss of the UNet."""
    optimisation: Optimisation
    """Optimiser and stopping rule of the UNet's training."""


@settings
class TextEncoderSettings:
    """Sizes of the small generator's ``CLIPTextModel``; its weights stay random until EEG-ConDiffusion trains them."""

    layers: Positive
    """Number of transformer layers."""
    heads: Positive
    """Number of attention heads of a layer."""
    width: Positive
    """Width of the text encoder, and of the UNet's cross-attention."""
    tokens: Positive
    """Number of positions that the encoder has embeddings for."""


@settings
class NoiseScheduleSettings:
    """Noise schedule of the small generator; a pipeline that the user gives brings its own."""

    steps: Positive
    """Number of diffusion steps in training."""
    beta_schedule: Literal["scaled_linear", "linear", "squaredcos_cap_v2"]
    """How the noise grows over the steps, by diffusers' names."""
    prediction_type: Literal["epsilon", "v_prediction"]
    """What the UNet predicts: the noise, or the velocity."""


@settings
class SmallGeneratorSettings:
    """Sizes and training of a small image generator."""

    image_size: Annotated[int, Ge(8)]
    """Side of the generated images in pixels."""
    seed: Count
    """Seed of the weights, of the order of images and of all noise in training."""
    diffusion: NoiseScheduleSettings
    """Noise schedule."""
    autoencoder: AutoencoderSettings
    """Autoencoder, which is trained first."""
    network: DenoiserSettings
    """UNet, which is trained on the autoencoder's latents."""
    text_encoder: TextEncoderSettings
    """Text encoder, which is not trained here."""
