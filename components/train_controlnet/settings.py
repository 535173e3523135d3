"""Settings of the ControlNet."""

from typing import Annotated

from annotated_types import Ge, Gt, Le

from components.models.image_sampling import Sampling
from components.models.sgdm import Control
from components.settings import settings
from components.training.latent_diffusion import Denoising
from components.training.settings import Count, Optimisation, Positive


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
