"""Settings of pretraining."""

from typing import Annotated, Literal

from annotated_types import Gt

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count, Optimisation, Positive


@settings
class Architecture:
    """Sizes of the SSMDP; 5.93 M parameters at the paper's 128, 128, 20, 128, 512."""

    d_model: Positive
    d_state: Positive
    n_layer: Positive
    d_cond_embed: Positive
    d_cond: Positive


@settings
class Generation:
    """The EEG that the trained backbone generates for the report."""

    seconds: Annotated[float, Gt(0)]
    channels: list[Count]
    """Montage indices."""
    samples: Positive
    """Signals for each channel."""
    sampler: Literal["ddpm", "ddim"]
    ddim_steps: Positive
    clip_sample: bool
    """Whether each predicted clean signal is clipped to [-1, 1], diffusers' default, which cuts large waves."""


@settings
class PretrainSSMDP:
    """Section ``pretrain_ssmdp``."""

    corpus: str
    """Entry of the section ``event_corpora`` whose recordings the backbone learns from."""
    seed: Count
    validation_samples: Positive
    """Single-channel signals that the validation loss is measured on, spread evenly over the split."""
    model: Architecture
    optimisation: Optimisation
    generation: Generation


@settings
class Variant:
    """Section ``backbones.<variant>``: what the ablations of pretraining vary."""

    schedule: Literal["squaredcos_cap_v2", "linear"]
    mu_law: bool
