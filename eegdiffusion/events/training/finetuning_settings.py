"""Settings of the Latent Fusion Transformer's training (EEGDM, arXiv:2508.14086)."""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from eegdiffusion.core.runtime.names import Name
from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count, Optimisation, Positive


@settings
class LFTArchitecture:
    """Sizes of the LFT; 6.90 M parameters at the paper's 16, 8, 8 on the paper's backbone."""

    n_fusion: Positive = 16
    """Number of fusion tokens, which gather the latents of all layers and channels."""
    num_heads: Positive = 8
    """Number of attention heads; it must divide the backbone's width."""
    encoder_blocks: Positive = 8
    """Number of encoder blocks, which attend among the fusion tokens."""
    fusion: Literal["cross_attention", "mean", "none"] = "cross_attention"
    """How latents become the encoder's tokens: fusion tokens attend to them, they are averaged over layers, or kept."""
    layers: list[Count] | None = None
    """Layers of the backbone whose latents are used; null: all."""
    token_scale: Annotated[float, Gt(0)] = 1.0
    """Factor on the tokens; 1 in the paper."""


@settings
class ChannelDropout:
    """Random subsets of the channels that an LFT is trained on, so that one model takes any number of them."""

    least: Positive = 4
    """Fewest channels that a step keeps; how many it keeps is drawn uniformly, and which of them for each window."""
    whole: Annotated[float, Ge(0), Le(1)] = 0.5
    """Share of the steps that keep all channels."""


@settings
class LFTTraining:
    """What an LFT is trained on and how: the section ``finetune_lft``."""

    latents: Name
    """Entry of the section ``latents`` whose cached tokens the LFT learns from."""
    corpus: Name
    """Entry of the section ``event_corpora`` that the latents are of."""
    model: LFTArchitecture = LFTArchitecture()
    """Sizes of the LFT."""
    label_smoothing: Annotated[float, Ge(0), Le(1)] = 0.1
    """Share of each label that is spread evenly over all classes."""
    channel_dropout: ChannelDropout | None = None
    """Random subsets of the channels, for an LFT that takes any number of them; null: all of them, as in the paper."""
    optimisation: Optimisation
    """Optimiser, its schedule and its stopping rule."""
