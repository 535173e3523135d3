"""Settings of EEG-ConDiffusion."""

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count, Optimisation, Positive
from eegdiffusion.images.condiffusion.adaptation import AdaptationKind
from eegdiffusion.images.generation.denoising_settings import Denoising
from eegdiffusion.images.generation.sampling_settings import Sampling


@settings
class TrainConDiffusion:
    """Section ``train_condiffusion``: how a generator is conditioned on EEG."""

    seed: Count = 0
    """Seed of new weights, of the order of epochs and of all noise in training."""
    adaptation: AdaptationKind = "full"
    """``full`` trains text encoder and cross-attention themselves, ``lora`` low-rank adapters of them."""
    rank: Positive = 8
    """Rank of the LoRA adapters."""
    denoising: Denoising = Denoising()
    """Loss of the training."""
    optimisation: Optimisation
    """Optimiser and stopping rule of the training."""
    draws: Positive = 4
    """Number of draws of steps and noise for each epoch whose losses are compared between conditions."""
    sampling: Sampling
    """How the images in the figure are sampled, and the default of the registered model."""
    shown: Positive = 10
    """Number of test images in the figure of samples, at most."""
