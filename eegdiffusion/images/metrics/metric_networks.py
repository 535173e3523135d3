"""Networks whose features compare images: EfficientNet-lite0 always, and those that the user has weights of.

======================  =========================================  =====  ====================  ====================
metric                  network                                    input  layer                 measure
======================  =========================================  =====  ====================  ====================
alexnet2                AlexNet                                    256    features.4            two-way
alexnet5                AlexNet                                    256    features.11           two-way
inception               Inception-v3                               342    avgpool               two-way
clip                    CLIP, the variant is read from its config  its    image embedding       two-way
effnet_b1               EfficientNet-B1                            255    avgpool               correlation distance
swav                    SwAV ResNet-50                             224    avgpool               correlation distance
lite0_middle            EfficientNet-lite0                         224    block 5 of 16         two-way
lite0                   EfficientNet-lite0                         224    pooled                two-way
lite0_distance          EfficientNet-lite0                         224    pooled                correlation distance
======================  =========================================  =====  ====================  ====================

Sizes and layers are MindEye's (arXiv:2305.18274). EfficientNet-lite0, which a package brings, stands in where there are
no weights: its middle block for AlexNet, its pooled layer for Inception and CLIP (two-way) and for EfficientNet-B1 and
SwAV (distance). Its numbers bear its name, and compare with no published one. Nothing is downloaded but that package.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn
from torchvision.models.feature_extraction import create_feature_extractor

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage import packages
from eegdiffusion.core.training.weights_file import load_weights
from eegdiffusion.images.features import efficientnet_lite
from eegdiffusion.images.features.clip_features import ClipImages
from eegdiffusion.images.metrics.image_arrays import Images, resize_images
from eegdiffusion.images.metrics.metric_settings import ReconstructionMetrics

LOGITS = "logits"
"""Output of a network that classifies ImageNet."""

WEIGHTS_SECTION = "params.yaml: reconstruct_sgdm, reconstruct_condiffusion: metrics.weights"
"""Where the files of weights are named, for errors."""

MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's pixels."""


@dataclass(frozen=True)
class Layer:
    """A layer whose features compare images.

    Attributes:
        metric: key of the metric.
        output: name of the network's output.
        name: name of the layer, as the network calls it.
        measure: how features are compared.
    """

    metric: str
    output: str
    name: str
    measure: Literal["two_way", "correlation_distance"]


@dataclass(frozen=True)
class FeatureNetwork:
    """A network with its weights.

    Attributes:
        key: short name.
        name: name and variant.
        weights: where its weights came from.
        side: side of its input in pixels.
        layers: layers whose features compare images.
        pooled: output whose Fréchet distance is taken; None: no distance is taken.
        outputs: computes from (n, height, width, 3) uint8 images the outputs by name, (n, width) float32.
        classifies: whether ``logits`` are among the outputs.
    """

    key: str
    name: str
    weights: str
    side: int
    layers: tuple[Layer, ...]
    pooled: str | None
    outputs: Callable[[Images], dict[str, np.ndarray]]
    classifies: bool


@dataclass(frozen=True)
class _Torchvision:
    """A network of torchvision: what makes it, its input, its nodes, and the parameters that the nodes do without."""

    name: str
    make: Callable[[], nn.Module]
    side: int
    layers: tuple[Layer, ...]
    nodes: dict[str, str]
    pooled: str | None
    unused: tuple[str, ...] = ()


_TORCHVISION = {
    "alexnet": _Torchvision(
        name="AlexNet",
        make=torchvision.models.alexnet,
        side=256,
        layers=(
            Layer("alexnet2", "low", "features.4", "two_way"),
            Layer("alexnet5", "high", "features.11", "two_way"),
        ),
        nodes={"features.4": "low", "features.11": "high"},
        pooled=None,
        unused=("classifier.",),
    ),
    "inception": _Torchvision(
        name="Inception-v3",
        # torchvision's weights expect inputs that the network scales again.
        make=lambda: torchvision.models.inception_v3(transform_input=True, init_weights=False),
        side=342,
        layers=(Layer("inception", "pooled", "avgpool", "two_way"),),
        nodes={"avgpool": "pooled", "fc": LOGITS},
        pooled="pooled",
        unused=("AuxLogits.",),
    ),
    "effnet_b1": _Torchvision(
        name="EfficientNet-B1",
        make=torchvision.models.efficientnet_b1,
        side=255,
        layers=(Layer("effnet_b1", "pooled", "avgpool", "correlation_distance"),),
        nodes={"avgpool": "pooled", "classifier": LOGITS},
        pooled="pooled",
    ),
    "swav": _Torchvision(
        name="SwAV ResNet-50",
        make=torchvision.models.resnet50,
        side=224,
        layers=(Layer("swav", "pooled", "avgpool", "correlation_distance"),),
        nodes={"avgpool": "pooled"},
        pooled="pooled",
        unused=("fc.",),
    ),
}


def load_networks(
    settings: ReconstructionMetrics, device: torch.device, cache: Path = packages.CACHE
) -> list[FeatureNetwork]:
    """Load the packaged network and those that weights are given of.

    Args:
        settings: files of weights, and number of images in a forward pass.
        device: device that they run on.
        cache: folder of packages.

    Raises:
        InputError: a file is missing, or does not hold the network's weights.
    """
    weights, batch = settings.weights, settings.batch_size
    networks = [_lite0(device, batch, cache)]
    for key, spec in _TORCHVISION.items():
        if (path := getattr(weights, key)) is not None:
            networks.append(_torchvision(key, spec, Path(path), device, batch))
    if weights.clip is not None:
        networks.append(_clip(weights.clip, device, batch))
    return networks


def _in_batches(compute: Callable[[np.ndarray], dict[str, Tensor]], batch: int):
    @torch.inference_mode()
    def outputs(images: Images) -> dict[str, np.ndarray]:
        parts = [compute(images[k : k + batch]) for k in range(0, len(images), batch)]
        return {name: torch.cat([part[name].flatten(1) for part in parts]).cpu().numpy() for name in parts[0]}

    return outputs


def _lite0(device: torch.device, batch: int, cache: Path) -> FeatureNetwork:
    network = efficientnet_lite.load_efficientnet(cache).to(device)

    def compute(images: np.ndarray) -> dict[str, Tensor]:
        pixels = torch.stack([efficientnet_lite.preprocess_image(Image.fromarray(image)) for image in images])
        middle = network.middle(pixels.to(device))
        pooled = network.pooled(middle)
        return {"middle": middle, "pooled": pooled, LOGITS: network.logits(pooled)}

    return FeatureNetwork(
        key="lite0",
        name="EfficientNet-lite0",
        weights=str(efficientnet_lite.WEIGHTS),
        side=efficientnet_lite.SIZE,
        layers=(
            Layer("lite0_middle", "middle", f"block {efficientnet_lite.MIDDLE} of 16", "two_way"),
            Layer("lite0", "pooled", "pooled", "two_way"),
            Layer("lite0_distance", "pooled", "pooled", "correlation_distance"),
        ),
        pooled="pooled",
        outputs=_in_batches(compute, batch),
        classifies=True,
    )


def _torchvision(key: str, spec: _Torchvision, path: Path, device: torch.device, batch: int) -> FeatureNetwork:
    network = spec.make()
    _load(network, path, spec.unused, f"{WEIGHTS_SECTION}.{key}: {path}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="NOTE: The nodes obtained by tracing")  # of training, not done here
        network = create_feature_extractor(network.eval().requires_grad_(False), spec.nodes).to(device)
    mean, sd = (torch.tensor(values, device=device)[:, None, None] for values in (MEAN, SD))

    def compute(images: np.ndarray) -> dict[str, Tensor]:
        return network((resize_images(images, spec.side, device) - mean) / sd)

    outputs, classifies = _in_batches(compute, batch), LOGITS in spec.nodes.values()
    return FeatureNetwork(key, spec.name, path.name, spec.side, spec.layers, spec.pooled, outputs, classifies)


def _load(network: nn.Module, path: Path, unused: tuple[str, ...], where: str) -> None:
    """Load a state dict, without the parameters that begin with one of ``unused``."""
    if not path.is_file():
        raise InputError(f"{where}: no such file")
    rule = f"{where}: must be a state dict of the network"
    state = {name.removeprefix("module."): tensor for name, tensor in load_weights(path, rule).items()}  # SwAV's
    own = [name for name in network.state_dict() if not name.startswith(unused)]
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    if missing:
        raise InputError(f"{where}: must hold the network's weights; {missing[0]} and others are not there")
    try:
        network.load_state_dict({name: state[name] for name in own if name in state}, strict=False)
    except RuntimeError as error:
        raise InputError(f"{rule} ({' '.join(str(error).split())})") from error


def clip_variant(hidden: int, patch: int, width: int) -> str:
    """Name the variant of a CLIP vision model.

    Args:
        hidden: hidden width of the transformer.
        patch: side of a patch in pixels.
        width: width of the embedding.

    Returns:
        name of the variant, e.g. ``ViT-L/14, 768 wide``.
    """
    size = {768: "B", 1024: "L", 1280: "H", 1664: "bigG"}.get(hidden)
    return f"ViT-{size}/{patch}, {width} wide" if size else f"ViT of width {hidden}, patch {patch}, {width} wide"


def _clip(source: str, device: torch.device, batch: int) -> FeatureNetwork:
    # A name on the hub would be downloaded.
    if not Path(source).is_dir():
        raise InputError(f"{WEIGHTS_SECTION}.clip: {source}: must be the folder of a CLIP model")
    model = ClipImages(source, device, f"{WEIGHTS_SECTION}.clip")
    config = model.model.config

    def compute(images: np.ndarray) -> dict[str, Tensor]:
        return {"embedding": torch.from_numpy(model.features([Image.fromarray(image) for image in images]))}

    return FeatureNetwork(
        key="clip",
        name=f"CLIP {clip_variant(config.hidden_size, config.patch_size, config.projection_dim)}",
        weights=source,
        side=config.image_size,
        layers=(Layer("clip", "embedding", "image embedding", "two_way"),),
        pooled=None,
        outputs=_in_batches(compute, batch),
        classifies=False,
    )
