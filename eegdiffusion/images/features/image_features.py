"""Frozen features of a corpus's images, computed once: ``features.safetensors`` and ``features.json``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from safetensors.numpy import save_file

from eegdiffusion.core.runtime.errors import InputError, nearest
from eegdiffusion.core.storage.safetensors_file import read_tensor
from eegdiffusion.core.storage.sidecar import FingerprintedFolder

NetworkName = Literal["efficientnet_lite0", "clip"]
"""Name of a network that computes image features."""

OUTPUT = "output"
"""Name of the layer whose activations are a network's features."""


@dataclass(frozen=True)
class FeaturesDescription:
    """What image features were computed with, as ``features.json`` says.

    Attributes:
        model: name of the network.
        source: where its weights came from.
        width: length of a feature vector; 0 where no image has a file.
        store: fingerprint of the epoch store whose images they are.
        layers: names of the layers that are kept besides, from shallow to deep.
    """

    model: str
    source: str
    width: int
    store: str
    layers: list[str] = field(default_factory=list)


class ImageFeatures(FingerprintedFolder[FeaturesDescription]):
    """Image features on disk, by row of the epoch store's images; see :class:`FingerprintedFolder`.

    Attributes:
        features: (images, width) float32, not normalised, NaN where there is no file.
    """

    SIDECAR, DESCRIPTION = "features.json", FeaturesDescription

    def __init__(self, path: Path, store: str):
        super().__init__(path, store)
        self._file = path / "features.safetensors"
        self.features: np.ndarray = self._read("features")

    @property
    def layer_names(self) -> list[str]:
        """Names of the layers that are kept, from shallow to deep; the last one is :data:`OUTPUT`."""
        return [*self.description.layers, OUTPUT]

    def layer(self, name: str, setting: str = "layer") -> np.ndarray:
        """Read the activations of a layer: (images, width) float32, NaN where there is no file.

        Args:
            name: one of :attr:`layer_names`.
            setting: name of the setting that names the layer, for the error.

        Raises:
            InputError: the layer is not kept.
        """
        if name not in self.layer_names:
            raise InputError(
                f"{setting}: must be among {', '.join(self.layer_names)}; embed_images.layers says which are kept "
                f"beside the output (found {name}){nearest(name, self.layer_names)}"
            )
        return self.features if name == OUTPUT else self._read(f"layers.{name}")

    def _read(self, key: str) -> np.ndarray:
        return read_tensor(self._file, key)


def write_features(
    path: Path, features: np.ndarray, description: FeaturesDescription, layers: Mapping[str, np.ndarray] | None = None
) -> None:
    """Write features to a new folder; see :class:`ImageFeatures`.

    Args:
        path: folder to make.
        features: (images, width), NaN where an image has no file.
        description: what ``features.json`` says.
        layers: (images, width) of each of the description's layers, NaN where an image has no file.
    """
    path.mkdir(parents=True)
    tensors = {"features": features} | {f"layers.{name}": values for name, values in (layers or {}).items()}
    save_file({name: values.astype(np.float32) for name, values in tensors.items()}, path / "features.safetensors")
    ImageFeatures.write_sidecar(path, description)
