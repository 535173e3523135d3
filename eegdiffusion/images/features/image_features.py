"""Frozen features of a corpus's images, computed once: ``features.safetensors`` and ``features.json``."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from eegdiffusion.core.storage.sidecar import read_description, write_description

FILE = "features.json"


@dataclass(frozen=True)
class Embedding:
    """What features are of, their ``features.json``.

    Attributes:
        model: name.
        source: where its weights came from.
        width: of a feature vector.
        store: fingerprint of the epoch store whose images they are.
    """

    model: str
    source: str
    width: int
    store: str


class ImageFeatures:
    """Features on disk.

    Args:
        path: their folder.
        store: fingerprint of the epoch store that they are to belong to.

    Raises:
        InputError: they are of other images.

    Attributes:
        features: (images, width) float32, not normalised, by row of the store's images; NaN where there is no file.
    """

    def __init__(self, path: Path, store: str):
        self.embedding = read_description(path / FILE, Embedding, store)
        self.features: np.ndarray = load_file(path / "features.safetensors")["features"]


def write_features(path: Path, features: np.ndarray, embedding: Embedding) -> None:
    """Write features; see :class:`ImageFeatures`."""
    path.mkdir(parents=True)
    save_file({"features": features.astype(np.float32)}, path / "features.safetensors")
    write_description(path / FILE, embedding)
