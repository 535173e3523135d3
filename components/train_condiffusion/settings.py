"""Settings of EEG-ConDiffusion."""

from dataclasses import field
from typing import Annotated

from annotated_types import Ge

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count, Optimisation, Positive
from eegdiffusion.images.condiffusion.adaptation import AdaptationKind
from eegdiffusion.images.generation.denoising_settings import Denoising
from eegdiffusion.images.generation.sampling_settings import Sampling

Factor = Annotated[float, Ge(0)]


@settings
class RateFactors:
    """Factors of the learning rate by part; 0 leaves a part as it begins."""

    text_encoder: Factor = 1.0
    """Factor for the text encoder or its adapters."""
    cross_attention: Factor = 1.0
    """Factor for the UNet's cross-attention or its adapters."""
    projection: Factor = 1.0
    """Factor for the projection from EEG, which no pretraining has seen."""


@settings
class TrainConDiffusion:
    """Section ``train_condiffusion``: how a generator is conditioned on EEG."""

    seed: Count = 0
    """Seed of new weights, of the order of epochs and of all noise in training."""
    adaptation: AdaptationKind = "full"
    """``full`` trains text encoder and cross-attention themselves, ``lora`` low-rank adapters of them."""
    rank: Positive = 8
    """Rank of the LoRA adapters."""
    prompt: str | None = "a photo of a {}"
    """Prompt that EEG begins as where EEGConvNet is sure of a class, with ``{}`` where the class is named; null: the
    projection begins at random, and the training must find the classes."""
    words: dict[str, str] = field(default_factory=dict)
    """Words for classes whose names are none, such as ``n02106662: dog``; others go by their names."""
    rate_factors: RateFactors = RateFactors()
    """Factors of the learning rate by part."""
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

    def __post_init__(self):
        if self.prompt is not None and self.prompt.count("{}") != 1:
            raise ValueError(f"prompt: must have {{}} once, where the class is named (found {self.prompt!r})")
