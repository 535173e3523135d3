"""The frozen networks whose features describe images."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from PIL import Image

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.features import efficientnet_lite
from eegdiffusion.images.features.clip_features import ClipImages
from eegdiffusion.images.features.image_features import OUTPUT, NetworkName


class ImageNetwork(Protocol):
    """A frozen network of which any layers can be asked for."""

    @property
    def layer_names(self) -> list[str]:
        """Names of the layers, from shallow to deep; the last one is ``output``."""
        ...

    def layers(self, images: list[Image.Image], names: Sequence[str], /) -> dict[str, np.ndarray]:
        """Compute the activations of some layers, (images, width) float32 each."""
        ...


class EfficientNetImages:
    """EfficientNet-lite0 with the weights of its package.

    Args:
        device: device that it runs on.
    """

    def __init__(self, device: torch.device):
        self._network = efficientnet_lite.load_efficientnet().to(device)
        self.layer_names = [*efficientnet_lite.STAGES, OUTPUT]

    def layers(self, images: list[Image.Image], names: Sequence[str]) -> dict[str, np.ndarray]:
        """Compute the activations of some layers, (images, width) float32 each."""
        return efficientnet_lite.image_layers(self._network, images, names)


def open_network(
    name: NetworkName, source: str | None, download: bool, device: torch.device
) -> tuple[ImageNetwork, str]:
    """Load a network, and say where its weights came from.

    Args:
        name: name of the network.
        source: folder of the CLIP model, or ``owner/name@commit`` of the hub; None for one of a package.
        download: whether the hub may be asked for what is not on the disk.
        device: device that it runs on.

    Raises:
        InputError: there is no such CLIP model, or none is named.
    """
    if name == "clip":
        if source is None:
            raise InputError("embed_images.source: must name the CLIP model (found null)")
        return ClipImages(source, device, download=download), source
    return EfficientNetImages(device), str(efficientnet_lite.WEIGHTS)


def load_network(
    name: NetworkName, source: str | None, download: bool, device: torch.device
) -> tuple[Callable[[list[Image.Image]], np.ndarray], str]:
    """Load a network: what computes the features (images, width) of images, and where its weights came from.

    Args and errors are those of :func:`open_network`.
    """
    network, origin = open_network(name, source, download, device)
    return lambda images: network.layers(images, [OUTPUT])[OUTPUT], origin
