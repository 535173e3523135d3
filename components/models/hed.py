"""Holistically-nested edge detection (Xie and Tu 2015, arXiv:1504.06375), by weights that the user has in a file.

The network is that of the weights that ControlNet's annotators use (``ControlNetHED.pth``): VGG-16's convolutions, one
map of edges from each of five depths, averaged.
"""

import pickle
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from components.errors import InputError

BLOCKS = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]
"""Channels and convolutions of each depth."""


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, convolutions: int):
        super().__init__()
        widths = [inputs] + [outputs] * convolutions
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:], strict=False))
        self.projection = nn.Conv2d(outputs, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for conv in self.convs:
            x = functional.relu(conv(x))
        return x, self.projection(x)


class HED(nn.Module):
    """The network, with the names of the published weights."""

    def __init__(self):
        super().__init__()
        self.norm = nn.Parameter(torch.zeros(1, 3, 1, 1))
        inputs = 3
        for k, (outputs, convolutions) in enumerate(BLOCKS, start=1):
            setattr(self, f"block{k}", _Block(inputs, outputs, convolutions))
            inputs = outputs

    def forward(self, pixels: Tensor) -> Tensor:
        """Find edges, (B, 3, H, W) RGB from 0 to 255 -> (B, 1, H, W) from 0 to 1; H and W are 16 or more."""
        x, found = pixels - self.norm, []
        for k in range(1, len(BLOCKS) + 1):
            x, edges = getattr(self, f"block{k}")(x if k == 1 else functional.max_pool2d(x, 2))
            found.append(functional.interpolate(edges, pixels.shape[2:], mode="bilinear"))
        return torch.stack(found).mean(0).sigmoid()


def load_hed(path: Path) -> HED:
    """Read weights from a safetensors file or a state dict of PyTorch, which is not executed.

    Raises:
        InputError: the file does not hold them.
    """
    network = HED()
    try:
        if path.suffix == ".safetensors":
            weights = load_file(path)
        else:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(weights)
    except (OSError, RuntimeError, TypeError, AttributeError, SafetensorError, pickle.UnpicklingError) as error:
        raise InputError(
            f"embed_images.structure_source: {path}: must be a file with HED's weights, as ControlNetHED.pth ({error})"
        ) from error
    return network.eval().requires_grad_(False)


@torch.inference_mode()
def hed_edges(network: HED, pictures: list[Image.Image], side: int) -> np.ndarray:
    """Find the edges of square pictures of one size: (pictures, side, side) float32 from 0 to 1."""
    device = network.norm.device
    pixels = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures])).permute(0, 3, 1, 2).float()
    found = network(pixels.to(device))
    return functional.interpolate(found, (side, side), mode="bilinear", antialias=True)[:, 0].cpu().numpy()
