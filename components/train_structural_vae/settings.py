"""Settings of the structural VAE and of the prediction of structure from EEG."""

from dataclasses import field
from typing import Annotated, Any

from annotated_types import Ge, Gt, MinLen

from components.models.structural_vae import Latent
from components.settings import settings
from components.training.settings import Count, Optimisation, Positive
from components.training.structural_vae import VAELoss


@settings
class Network:
    """Sizes of the VAE; see ``StructuralVAE``."""

    latent: Latent
    """A grid of the picture's size / 2^(number of widths), or a vector."""
    latent_size: Positive
    """Channels of the grid, or length of the vector."""
    widths: Annotated[list[Positive], MinLen(1)]
    """Channels at each halving of the picture."""


@settings
class Autoencoder:
    """The VAE."""

    network: Network
    loss: VAELoss
    optimisation: Optimisation


@settings
class Predictor:
    """What predicts the VAE's latents, and with them the structure, from EEG."""

    encoder: str
    """Of ``components.models.eeg_encoders``; ``ridge`` is fitted to the latents, not trained."""
    options: dict[str, Any] = field(default_factory=dict)
    """Arguments of the encoder's class."""
    width: Positive
    """Outputs of the encoder, which a linear map takes to the latents."""
    subject_layers: bool
    """An input layer of its own for each training subject."""
    average: Positive
    """Repetitions of an image that are averaged into a training epoch."""
    structure_weight: Annotated[float, Ge(0)]
    """Of the structure's loss through the frozen decoder, beside the latents' squared error."""
    ridge_alphas: Annotated[list[Annotated[float, Gt(0)]], MinLen(1)]
    """Penalties that ``ridge`` chooses from, by the validation split."""
    optimisation: Optimisation


@settings
class TrainStructuralVAE:
    """Section ``train_structural_vae``."""

    seed: Count
    vae: Autoencoder
    predictor: Predictor
