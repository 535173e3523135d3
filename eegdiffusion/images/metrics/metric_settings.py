"""Settings of the metrics of reconstructions."""

from typing import Annotated

from annotated_types import Ge

from eegdiffusion.core.runtime.settings import settings


@settings
class Weights:
    """Local weights of the networks that the papers measure with; null: the network's numbers are left out."""

    alexnet: str | None
    """File of torchvision's ``alexnet``."""
    inception: str | None
    """File of torchvision's ``inception_v3``."""
    clip: str | None
    """Folder of a CLIP model; the papers' is ViT-L/14."""
    effnet_b1: str | None
    """File of torchvision's ``efficientnet_b1``."""
    swav: str | None
    """File of SwAV's ResNet-50."""


@settings
class ReconstructionMetrics:
    """Section ``reconstruct.metrics``."""

    weights: Weights
    ways: Annotated[int, Ge(2)]
    """Classes of N-way accuracy."""
    top: Annotated[int, Ge(1)]
    """Places that count in it."""
    batch_size: Annotated[int, Ge(1)]
    """Pictures in a forward pass."""
