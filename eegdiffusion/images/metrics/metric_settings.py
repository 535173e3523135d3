"""Settings of the metrics of reconstructions."""

from typing import Annotated

from annotated_types import Ge

from eegdiffusion.core.runtime.settings import settings


@settings
class Weights:
    """Local weights of the networks that the papers measure with; null: the network's numbers are left out."""

    alexnet: str | None = None
    """File of the weights of torchvision's ``alexnet``; null leaves AlexNet out."""
    inception: str | None = None
    """File of the weights of torchvision's ``inception_v3``; null leaves Inception-v3 out."""
    clip: str | None = None
    """Folder of a CLIP model, in the papers ViT-L/14; null leaves CLIP out."""
    effnet_b1: str | None = None
    """File of the weights of torchvision's ``efficientnet_b1``; null leaves EfficientNet-B1 out."""
    swav: str | None = None
    """File of the weights of SwAV's ResNet-50; null leaves SwAV out."""


@settings
class ReconstructionMetrics:
    """Section ``reconstruct.metrics``: how reconstructed images are scored."""

    weights: Weights = Weights()
    """Files of weights of the networks that the papers measure with."""
    ways: Annotated[int, Ge(2)] = 20
    """Number of classes of N-way accuracy, the right one included."""
    top: Annotated[int, Ge(1)] = 1
    """Number of first ranks that count in N-way accuracy."""
    batch_size: Annotated[int, Ge(1)] = 64
    """Number of images in a forward pass of a network."""
