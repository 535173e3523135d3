"""Settings of the ControlNet."""

from typing import Annotated

from annotated_types import Ge, Gt, Le

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count, Optimisation, Positive
from eegdiffusion.images.generation.image_sampling import Sampling
from eegdiffusion.images.generation.latent_diffusion import Denoising
from eegdiffusion.images.sgdm.sgdm import Control


@settings
class TrainControlNet:
    """Section ``train_controlnet``."""

    seed: Count
    average: Positive
    """Repetitions of an image that are averaged into a training epoch."""
    ridge_alphas: list[Annotated[float, Gt(0)]]
    """Penalties that the linear baseline chooses from, by the validation images."""
    truth_share: Annotated[float, Ge(0), Le(1)]
    """Of the training items that get their image's own features and structure in place of the predicted ones."""
    fresh_rate: Annotated[float, Gt(0)]
    """Factor of the learning rate of layers that the UNet does not have: taps, and what embeds structure."""
    end_to_end: bool
    """Train the predictor of structure with the ControlNet."""
    denoising: Denoising
    optimisation: Optimisation
    draws: Positive
    """Of steps and noise, for each epoch whose losses are compared between conditions."""
    sampling: Sampling
    control: Control
    """How pictures are drawn in the figure, and by the registered model unless told otherwise."""
    shown: Positive
    """Test images in the figure."""
