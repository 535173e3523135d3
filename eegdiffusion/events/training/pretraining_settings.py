"""Settings of the backbone, of its pretraining and of the EEG that it generates."""

from typing import Annotated, Literal

from annotated_types import Gt, MinLen

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count, Positive


@settings
class BackboneArchitecture:
    """Sizes of the SSMDP; 5.93 M parameters at the paper's 128, 128, 20, 128, 512."""

    d_model: Positive = 128
    """Width H of the network."""
    d_state: Positive = 128
    """States of each S4D channel."""
    n_layer: Positive = 20
    """Number of layers."""
    d_cond_embed: Positive = 128
    """Width of the embeddings of diffusion step and channel."""
    d_cond: Positive = 512
    """Width of the conditioning that is made of them."""


@settings
class EEGSampling:
    """The EEG that the trained backbone generates for the report."""

    seconds: Annotated[float, Gt(0)] = 5.0
    """Length of each signal in seconds."""
    channels: Annotated[list[Count], MinLen(1)] | None = None
    """Channels that are generated, by their position in the corpus's montage; null: three of them, spread over it."""
    samples: Positive = 8
    """Signals for each channel."""
    sampler: Literal["ddpm", "ddim"] = "ddpm"
    """Sampler of the reverse process."""
    ddim_steps: Positive = 10
    """Steps that the sampler ``ddim`` walks."""
    clip_sample: bool = True
    """Whether each predicted clean signal is clipped to [-1, 1], diffusers' default, which cuts large waves."""


@settings
class BackboneVariant:
    """An entry of the section ``backbones``: what the ablations of pretraining vary."""

    schedule: Literal["squaredcos_cap_v2", "linear"]
    """Noise schedule of the diffusion process."""
    mu_law: bool
    """Whether signals pass the staged mu-law before the diffusion process."""
