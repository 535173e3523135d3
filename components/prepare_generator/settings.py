"""Settings of the image generator."""

from typing import Annotated

from annotated_types import Gt, Lt

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.storage.model_hub import require_pinned
from eegdiffusion.images.generation.generator_settings import SmallGeneratorSettings


@settings
class PrepareGenerator(SmallGeneratorSettings):
    """Section ``prepare_generator``: which image generator EEG conditions."""

    pipeline: str | None = None
    """Folder of Stable Diffusion (1.5, 2.1, SDXL-Turbo), or ``owner/name@commit`` of the hub; null trains one."""
    download: bool = False
    """Whether the hub may be asked for what is not on the disk."""
    ip_adapter: str | None = None
    """File of IP-Adapter's weights (safetensors), which belong to the features of ``embed_images``."""
    validation_fraction: Annotated[float, Gt(0), Lt(1)] = 0.05
    """Share of the small generator's training images that choose its weights and are not trained on."""

    def __post_init__(self):
        if self.ip_adapter is not None and self.pipeline is None:
            raise ValueError(
                "ip_adapter: belongs to a pipeline that the user gives; pipeline must name it (found null)"
            )
        require_pinned(self.pipeline, self.download)
        factor = 2 ** (len(self.autoencoder.widths) + len(self.network.widths) - 2)
        if self.pipeline is None and self.image_size % factor:
            raise ValueError(f"image_size: must be a multiple of {factor} with these levels (found {self.image_size})")
