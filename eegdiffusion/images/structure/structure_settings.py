"""Settings of the structural VAE and of the predictor of structure from EEG."""

from dataclasses import field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, MinLen

from eegdiffusion.core.runtime.names import Name
from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Optimisation, Positive

LatentKind = Literal["spatial", "vector"]


@settings
class StructuralVAESizes:
    """Sizes of the structural VAE."""

    latent: LatentKind = "spatial"
    """Kind of the latent: a grid whose side is the image's over 2^(number of widths), or a vector."""
    latent_size: Positive = 8
    """Channels of the grid, or length of the vector."""
    widths: Annotated[list[Positive], MinLen(1)] = field(default_factory=lambda: [16, 32, 64])
    """Channels at each halving of the image's side."""


@settings
class VAELoss:
    """Weights of the structural VAE's loss: squared error of the image, structure, KL divergence."""

    beta: Annotated[float, Ge(0)] = 4e-4
    """Weight of the KL divergence per latent unit."""
    structure_weight: Annotated[float, Ge(0)] = 0.05
    """Weight of the structure maps' loss, which is taken as a share of the mean field's."""


@settings
class StructuralVAESettings:
    """Sizes, loss and training of the structural VAE."""

    network: StructuralVAESizes = StructuralVAESizes()
    """Sizes of the network."""
    loss: VAELoss = VAELoss()
    """Weights of the loss."""
    optimisation: Optimisation
    """Optimiser and stopping rule of the VAE's training."""


@settings
class StructurePredictorSettings:
    """What predicts the VAE's latents, and with them the structure, from EEG."""

    encoder: Name = "ridge"
    """EEG encoder of ``eegdiffusion.images.encoders.registry``; ``ridge`` is fitted to the latents, not trained."""
    options: dict[str, Any] = field(default_factory=dict)
    """Arguments of the encoder's class."""
    width: Positive = 64
    """Number of the encoder's outputs, which a linear map takes to the latents."""
    subject_layers: bool = True
    """Whether each training subject has an input layer of its own."""
    average: Positive = 1
    """Number of repetitions of an image that are averaged into a training epoch."""
    structure_weight: Annotated[float, Ge(0)] = 0.5
    """Weight of the structure's loss through the frozen decoder, beside the latents' squared error."""
    ridge_alphas: Annotated[list[Annotated[float, Gt(0)]], MinLen(1)] = field(
        default_factory=lambda: [0.01, 0.03, 0.1, 0.3]
    )
    """Penalties that ``ridge`` chooses from, by the validation split."""
    optimisation: Optimisation
    """Optimiser and stopping rule of the predictor's training."""
