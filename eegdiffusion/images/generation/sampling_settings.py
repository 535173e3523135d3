"""Settings of the sampling of image generators."""

from typing import Annotated, Literal

from annotated_types import Ge

from eegdiffusion.core.runtime.settings import settings

Sampler = Literal["unipc", "ddim", "euler_ancestral", "ddpm"]


@settings
class Sampling:
    """How images are sampled from noise."""

    sampler: Sampler = "unipc"
    """Sampler by its short name; ``unipc`` (arXiv:2302.04867) needs the fewest steps, ``euler_ancestral`` suits
    SDXL-Turbo."""
    steps: Annotated[int, Ge(1)]
    """Number of steps of the sampler."""
    guidance: Annotated[float, Ge(0)]
    """Scale w of classifier-free guidance, e0 + w (e - e0) (Ho and Salimans 2022, arXiv:2207.12598); 1 means none."""
