"""Settings of a small image generator."""

from typing import Annotated, Literal

from annotated_types import Ge

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count, Optimisation, Positive
from eegdiffusion.images.generation.latent_diffusion import Denoising


@settings
class Autoencoder:
    """The small generator's ``AutoencoderKL``."""

    widths: list[Positive]
    """Channels of its levels; each but the last halves the picture."""
    layers: Positive
    latent_channels: Positive
    groups: Positive
    """Of the group norms."""
    kl_weight: Annotated[float, Ge(0)]
    """Of the divergence per latent unit."""
    optimisation: Optimisation


@settings
class Network:
    """The small generator's ``UNet2DConditionModel`` and what conditions it."""

    widths: list[Positive]
    """Channels of its levels; all but the first attend to the condition."""
    layers: Positive
    head_width: Positive
    groups: Positive
    tokens: Positive
    """That stand for the image features."""
    denoising: Denoising
    optimisation: Optimisation


@settings
class TextEncoder:
    """The small generator's ``CLIPTextModel``, whose weights are drawn and left for EEG-ConDiffusion to train."""

    layers: Positive
    heads: Positive
    width: Positive
    """Also of the UNet's cross-attention."""
    tokens: Positive


@settings
class Diffusion:
    """The small generator's noise schedule; the user's pipeline brings its own."""

    steps: Positive
    beta_schedule: Literal["scaled_linear", "linear", "squaredcos_cap_v2"]
    prediction_type: Literal["epsilon", "v_prediction"]


@settings
class SmallGenerator:
    """All of it."""

    image_size: Annotated[int, Ge(8)]
    seed: Count
    diffusion: Diffusion
    autoencoder: Autoencoder
    network: Network
    text_encoder: TextEncoder
