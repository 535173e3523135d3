"""Settings of the Latent Fusion Transformer's training."""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from components.settings import settings
from components.training.settings import Count, Optimisation, Positive


@settings
class Architecture:
    """Sizes of the LFT; 6.90 M parameters at the paper's 16, 8, 8 on the paper's backbone."""

    n_fusion: Positive
    num_heads: Positive
    encoder_blocks: Positive
    fusion: Literal["cross_attention", "mean", "none"]
    layers: list[Count] | None
    """Layers of the backbone whose latents are used; null: all."""
    token_scale: Annotated[float, Gt(0)]
    """Factor on the tokens; 1 in the paper."""


@settings
class FinetuneLFT:
    """Section ``finetune_lft``."""

    latents: str
    """Entry of the section latents."""
    model: Architecture
    label_smoothing: Annotated[float, Ge(0), Le(1)]
    optimisation: Optimisation
