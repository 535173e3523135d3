"""Settings of EEG-ConDiffusion."""

from components.models.condiffusion import Kind
from components.models.image_sampling import Sampling
from components.settings import settings
from components.training.latent_diffusion import Denoising
from components.training.settings import Count, Optimisation, Positive


@settings
class TrainConDiffusion:
    """Section ``train_condiffusion``."""

    seed: Count
    adaptation: Kind
    """``full``: text encoder and cross-attention themselves; ``lora``: low-rank adapters of them."""
    rank: Positive
    """Of the adapters."""
    denoising: Denoising
    optimisation: Optimisation
    draws: Positive
    """Of steps and noise, for each epoch whose losses are compared between conditions."""
    sampling: Sampling
    """Of the pictures that are shown, and the default of the registered model."""
    shown: Positive
    """Test images in the figure of samples."""
