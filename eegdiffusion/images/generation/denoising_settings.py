"""Settings of the loss of latent diffusion models."""

from typing import Annotated

from annotated_types import Ge, Gt, Le

from eegdiffusion.core.runtime.settings import settings


@settings
class Denoising:
    """How the loss of a latent diffusion model is computed."""

    condition_dropout: Annotated[float, Ge(0), Le(1)] = 0.1
    """Share of training samples that are denoised without their condition, for classifier-free guidance."""
    min_snr_gamma: Annotated[float, Gt(0)] | None = 5.0
    """Gamma of the min-SNR loss weights (Hang et al. 2023, arXiv:2303.09556); null weights all steps alike."""
    gradient_checkpointing: bool = False
    """Whether activations are computed again in the backward pass, which takes less memory and more time."""
