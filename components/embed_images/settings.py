"""Settings of image features and structure maps."""

from typing import Annotated

from annotated_types import Ge

from eegdiffusion.core.runtime.names import Name
from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.storage.model_hub import require_pinned
from eegdiffusion.images.features.image_features import OUTPUT, NetworkName
from eegdiffusion.images.structure.structure_maps import ChosenKind


@settings
class EmbedImages:
    """Section ``embed_images``, which holds for every corpus of images and EEG."""

    model: NetworkName
    """Network whose features are computed: EfficientNet-lite0 comes in a package; CLIP is the user's."""
    source: str | None
    """Folder of the CLIP model (ViT-L/14, ViT-H/14), or ``owner/name@commit`` of the hub; null: EfficientNet-lite0."""
    download: bool = False
    """Whether the hub may be asked for a source that is not on the disk."""
    layers: Annotated[int, Ge(0)] | list[Name] = 0
    """Layers whose activations are kept beside the network's output, for encoders to be aligned with: a number of them
    (all if there are fewer), spread over the depth, or their names: of CLIP ``block1``, ... (class tokens), of
    EfficientNet-lite0 ``stage1`` to ``stage7``, averaged over a grid of 2 x 2."""
    batch_size: Annotated[int, Ge(1)] = 32
    """Number of images that are embedded at a time."""
    structure: ChosenKind = "auto"
    """Kind of the structure maps; auto: pieces of tangrams, colours of other images."""
    structure_source: str | None = None
    """Of ``depth`` the folder of a model of transformers, of ``hed`` a file of weights; null: those of a package."""
    structure_size: Annotated[int, Ge(8)] = 64
    """Side of the structure maps in pixels."""

    def __post_init__(self):
        given = self.structure_source is not None
        if given != (self.structure == "depth") and not (given and self.structure == "hed"):
            raise ValueError(
                f"structure_source must name the depth model, or HED's weights of one's own, and nothing else "
                f"(found {self.structure_source!r})"
            )
        if (self.model == "clip") != (self.source is not None):
            raise ValueError(f"source must name the CLIP model, and nothing else (found {self.source!r})")
        if isinstance(self.layers, list) and (OUTPUT in self.layers or len(set(self.layers)) < len(self.layers)):
            raise ValueError(f"layers must be distinct, without {OUTPUT}, which is always kept (found {self.layers})")
        require_pinned(self.source, self.download)
