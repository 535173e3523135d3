"""Settings of the image generator."""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from components.settings import settings
from components.training.latent_diffusion import Denoising
from components.training.settings import Count, Optimisation, Positive


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
class PrepareGenerator:
    """Section ``prepare_generator``."""

    pipeline: str | None
    """Folder or hub name of Stable Diffusion 1.5, 2.1 or SDXL-Turbo; null: train a small generator."""
    download: bool
    """Whether the hub may be asked for what is not on the disk."""
    ip_adapter: str | None
    """File of IP-Adapter's weights, which belong to the features of ``embed_images``."""
    image_size: Annotated[int, Ge(8)]
    seed: Count
    validation_fraction: Annotated[float, Gt(0), Lt(1)]
    diffusion: Diffusion
    autoencoder: Autoencoder
    network: Network
    text_encoder: TextEncoder

    def __post_init__(self):
        if self.ip_adapter is not None and self.pipeline is None:
            raise ValueError(
                "ip_adapter: belongs to a pipeline that the user gives; pipeline must name it (found null)"
            )
        factor = 2 ** (len(self.autoencoder.widths) + len(self.network.widths) - 2)
        if self.pipeline is None and self.image_size % factor:
            raise ValueError(f"image_size: must be a multiple of {factor} with these levels (found {self.image_size})")
