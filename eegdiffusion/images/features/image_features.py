"""Frozen features of a corpus's images, computed once: ``features.safetensors`` and ``features.json``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from safetensors.numpy import load_file, save_file

from eegdiffusion.core.storage.sidecar import FingerprintedFolder

NetworkName = Literal["efficientnet_lite0", "clip"]
"""Name of a network that computes image features."""


@dataclass(frozen=True)
class FeaturesDescription:
    """What image features were computed with, as ``features.json`` says.

    Attributes:
        model: name of the network.
        source: where its weights came from.
        width: length of a feature vector; 0 where no image has a file.
        store: fingerprint of the epoch store whose images they are.
    """

    model: str
    source: str
    width: int
    store: str


class ImageFeatures(FingerprintedFolder[FeaturesDescription]):
    """Image features on disk, by row of the epoch store's images; see :class:`FingerprintedFolder`.

    Attributes:
        features: (images, width) float32, not normalised, NaN where there is no file.
    """

    SIDECAR, DESCRIPTION = "features.json", FeaturesDescription

    def __init__(self, path: Path, store: str):
        super().__init__(path, store)
        self.features: np.ndarray = load_file(path / "features.safetensors")["features"]


def write_features(path: Path, features: np.ndarray, description: FeaturesDescription) -> None:
    """Write features to a new folder; see :class:`ImageFeatures`.

    Args:
        path: folder to make.
        features: (images, width), NaN where an image has no file.
        description: what ``features.json`` says.
    """
    path.mkdir(parents=True)
    save_file({"features": features.astype(np.float32)}, path / "features.safetensors")
    ImageFeatures.write_sidecar(path, description)
