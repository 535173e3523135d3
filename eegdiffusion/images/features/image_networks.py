"""The frozen networks whose features describe images."""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.features import efficientnet_lite
from eegdiffusion.images.features.clip_features import ClipImages
from eegdiffusion.images.features.image_features import NetworkName


def load_network(
    name: NetworkName, source: str | None, download: bool, device: torch.device
) -> tuple[Callable[[list[Image.Image]], np.ndarray], str]:
    """Load a network: what computes the features (images, width) of images, and where its weights came from.

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
        return ClipImages(source, device, download=download).features, source
    network = efficientnet_lite.load_efficientnet().to(device)
    return lambda images: efficientnet_lite.image_features(network, images), str(efficientnet_lite.WEIGHTS)
