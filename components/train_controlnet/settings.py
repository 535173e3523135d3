"""Settings of the ControlNet."""

from dataclasses import field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count, Optimisation, Positive
from eegdiffusion.images.generation.denoising_settings import Denoising
from eegdiffusion.images.generation.sampling_settings import Sampling
from eegdiffusion.images.sgdm.control_settings import ControlSettings


@settings
class TrainControlNet:
    """Section ``train_controlnet``: how a frozen generator is guided by structure that EEG predicts."""

    seed: Count = 0
    """Seed of new weights, of the order of epochs and of all noise in training."""
    average: Positive = 1
    """Number of repetitions of an image that are averaged into a training epoch."""
    condition: Literal["aligned", "ridge", "better"] = "better"
    """What predicts the features from EEG: the aligned encoder, the linear baseline, or the better of the two on the
    validation images (mean cosine to their features)."""
    tokens: Positive = 4
    """Number of tokens that stand for the image features in the text's place, where there is no IP-Adapter."""
    ridge_alphas: list[Annotated[float, Gt(0)]] = field(default_factory=lambda: [0.01, 0.1, 1.0, 10.0, 100.0])
    """Penalties that the linear baseline chooses from, by the validation images."""
    teacher_forcing_fraction: Annotated[float, Ge(0), Le(1)] = 0.5
    """Share of training items that get their image's own features and structure in place of the predicted ones."""
    pretrained_controlnet: str | None = None
    """Folder of a published ControlNet (diffusers, safetensors) that training begins with, for maps as
    ``embed_images.structure`` makes them (HED edges, depth) and for the UNet of the pipeline; null: begin with the
    UNet's own weights. DVC watches its path, not what lies in it."""
    new_layer_lr_factor: Annotated[float, Gt(0)] = 5.0
    """Factor of the learning rate of layers that the UNet does not have: taps, and what embeds structure."""
    end_to_end: bool = False
    """Whether what predicts features and structure from EEG is trained with the ControlNet."""
    denoising: Denoising = Denoising()
    """Loss of the training."""
    optimisation: Optimisation
    """Optimiser and stopping rule of the training."""
    draws: Positive = 4
    """Number of draws of steps and noise for each epoch whose losses are compared between conditions."""
    sampling: Sampling
    """How the images in the figure are sampled, and the default of the registered model."""
    control: ControlSettings = ControlSettings()
    """How far the ControlNet takes part in the figure's images, and the default of the registered model."""
    shown: Positive = 10
    """Number of test images in the figure, at most."""
