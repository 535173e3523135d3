"""Settings of the image generator."""

from typing import Annotated

from annotated_types import Ge

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count
from eegdiffusion.images.generation.sampling_settings import Sampling


@settings
class PrepareGenerator:
    """Section ``prepare_generator``: which image generator EEG conditions."""

    pipeline: str
    """Folder of a pipeline of diffusers: Stable Diffusion (1.5, 2.1, SDXL-Turbo), or the demo's miniature of it,
    ``eegdiffusion/surrogate/generator``."""
    ip_adapter: str | None = None
    """File of IP-Adapter's weights (safetensors), which belong to the features of ``embed_images``."""
    image_size: Annotated[int, Ge(8)] = 512
    """Side of the generated images in pixels: what the pipeline was trained for."""
    prompt: str = "a photo of a {}"
    """Prompt of the previews, with ``{}`` where the concept of an image is named."""
    sampling: Sampling = Sampling(steps=20, guidance=7.5)
    """How the previews are sampled."""
    seed: Count = 0
    """Seed of the previews' noise."""

    def __post_init__(self):
        if self.prompt.count("{}") != 1:
            raise ValueError(f"prompt: must have {{}} once, where the concept is named (found {self.prompt!r})")
