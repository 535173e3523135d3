"""The features that encoders are aligned with: frozen features of the images, centred if that is asked for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from eegdiffusion.core.storage.safetensors_file import open_tensors, read_tensor
from eegdiffusion.images.features.image_features import OUTPUT

FILE = "target.safetensors"


@dataclass(frozen=True)
class Target:
    """Features of images, and the mean that was subtracted from them.

    Attributes:
        features: (images, width) float32; NaN where an image has no file. Of a mixture, the activations of its layers,
            each of length 1, joined.
        mean: (width,) of the training images, or zeros; of a mixture, zeros.
        layers: layers of the image network.
        widths: width of each layer.
    """

    features: np.ndarray
    mean: np.ndarray
    layers: list[str]
    widths: list[int]

    def save(self, folder: Path) -> None:
        """Write the mean to ``target.safetensors``: an embedding plus it is in the space of the original features."""
        save_file({"mean": self.mean}, folder / FILE, metadata={"layers": json.dumps(self.layers)})


def make_target(layers: Mapping[str, np.ndarray], training: np.ndarray, centre: bool) -> Target:
    """Make the features that encoders are aligned with.

    Args:
        layers: (images, width) activations as the network gives them, of one layer or of the several of a mixture.
        training: (images,) bool, the images whose mean is subtracted.
        centre: whether the mean is subtracted.
    """
    parts, means = [], []
    for features in layers.values():
        mean = features[training].mean(0) if centre else np.zeros(features.shape[1], np.float32)
        parts.append((features - mean).astype(np.float32))
        means.append(mean.astype(np.float32))
    names, widths = list(layers), [part.shape[1] for part in parts]
    if len(parts) == 1:
        return Target(parts[0], means[0], names, widths)
    joined = np.concatenate([part / np.linalg.norm(part, axis=1, keepdims=True).clip(1e-12) for part in parts], axis=1)
    return Target(joined, np.zeros(joined.shape[1], np.float32), names, widths)


def load_mean(path: Path) -> np.ndarray:
    """Read the mean of a file that :meth:`Target.save` wrote."""
    return read_tensor(path, "mean")


def load_layers(path: Path) -> list[str]:
    """Read the layers of a file that :meth:`Target.save` wrote; one from before there was a choice is of the output."""
    with open_tensors(path) as file:
        return json.loads((file.metadata() or {}).get("layers", json.dumps([OUTPUT])))
