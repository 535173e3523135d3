"""Frozen features of a corpus's images, computed once: ``features.safetensors`` and ``features.json``."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from components.errors import InputError


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
        pieces: (images, side, side) uint8, which of a tangram's seven pieces covers a pixel; None for other images.
    """

    def __init__(self, path: Path, store: str):
        self.embedding = Embedding(**json.loads((path / "features.json").read_text()))
        if self.embedding.store != store:
            raise InputError(f"{path}/features.json: store: must be {store!r} (found {self.embedding.store!r})")
        tensors = load_file(path / "features.safetensors")
        self.features: np.ndarray = tensors["features"]
        self.pieces: np.ndarray | None = tensors.get("pieces")


def write_features(path: Path, features: np.ndarray, pieces: np.ndarray | None, embedding: Embedding) -> None:
    """Write features and, of tangrams, masks; see :class:`ImageFeatures`."""
    path.mkdir(parents=True)
    tensors = {"features": features.astype(np.float32)} | ({} if pieces is None else {"pieces": pieces})
    save_file(tensors, path / "features.safetensors")
    (path / "features.json").write_text(json.dumps(asdict(embedding), indent=2))
