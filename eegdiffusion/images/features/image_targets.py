"""The features that encoders are aligned with: frozen features of the images, centred if that is asked for."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

FILE = "target.safetensors"


@dataclass(frozen=True)
class Target:
    """Features of images, and the mean that was subtracted from them.

    Attributes:
        features: (images, width) float32; NaN where an image has no file.
        mean: (width,) of the training images, or zeros.
    """

    features: np.ndarray
    mean: np.ndarray

    def save(self, folder: Path) -> None:
        """Write the mean to ``target.safetensors``: an embedding plus it is in the space of the original features."""
        save_file({"mean": self.mean}, folder / FILE)


def make_target(features: np.ndarray, training: np.ndarray, centre: bool) -> Target:
    """Make the features that encoders are aligned with.

    Args:
        features: (images, width) features as the network gives them.
        training: (images,) bool, the images whose mean is subtracted.
        centre: whether the mean is subtracted.
    """
    mean = features[training].mean(0) if centre else np.zeros(features.shape[1], np.float32)
    return Target((features - mean).astype(np.float32), mean.astype(np.float32))


def load_mean(path: Path) -> np.ndarray:
    """Read the mean of a file that :meth:`Target.save` wrote."""
    return load_file(path)["mean"]
