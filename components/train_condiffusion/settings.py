"""Settings of EEG-ConDiffusion."""

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count, Optimisation, Positive
from eegdiffusion.images.condiffusion.condiffusion import Kind
from eegdiffusion.images.generation.image_sampling import Sampling
from eegdiffusion.images.generation.latent_diffusion import Denoising


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
