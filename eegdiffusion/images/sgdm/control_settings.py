"""Settings of the part that structure takes in the sampling of images."""

from typing import Annotated

from annotated_types import Ge, Gt, Le

from eegdiffusion.core.runtime.settings import settings


@settings
class ControlSettings:
    """How far the ControlNet takes part in sampling."""

    scale: Annotated[float, Ge(0)] = 1.0
    """Factor of what the ControlNet adds to the UNet."""
    end: Annotated[float, Ge(0), Le(1)] = 1.0
    """Share of the steps, from the noisiest on, in which the ControlNet takes part."""
    strength: Annotated[float, Gt(0), Le(1)] = 1.0
    """Share of the steps that are taken, from the noised colours on, where structure is colours (the strength of
    image-to-image pipelines); 1 begins from noise alone, as sampling does with any other structure."""
