"""Settings of image features."""

from typing import Annotated

from annotated_types import Ge

from components.models.image_networks import NetworkName
from components.settings import settings


@settings
class EmbedImages:
    """Section ``embed_images``."""

    model: NetworkName
    """EfficientNet-lite0 comes in a package; CLIP is the user's."""
    source: str | None
    """Folder or hub name of the CLIP model."""
    batch_size: Annotated[int, Ge(1)]
    mask_size: Annotated[int, Ge(8)]
    """Side of the masks of a tangram's pieces, in pixels."""

    def __post_init__(self):
        if (self.model == "clip") != (self.source is not None):
            raise ValueError(f"source must name the CLIP model, and nothing else (found {self.source!r})")
