"""Maps of the structure of a corpus's images, computed once: ``structure.safetensors`` and ``structure.json``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from safetensors.numpy import save_file

from eegdiffusion.core.storage.safetensors_file import read_tensor
from eegdiffusion.core.storage.sidecar import FingerprintedFolder
from eegdiffusion.images.corpora.tangrams import PIECES

Kind = Literal["edges", "hed", "pieces", "depth", "colours"]

ChosenKind = Literal["auto", "edges", "hed", "pieces", "depth", "colours"]
"""Kind of structure maps as it is chosen; auto: pieces of tangrams, colours of other images."""

CHANNELS: dict[Kind, int] = {"edges": 1, "hed": 1, "pieces": 1 + PIECES, "depth": 1, "colours": 3}
"""Channels of a map of each kind: edges or depth from 0 to 1, the background and each piece of a tangram, RGB."""

ABSENT = 255
"""Value of a pixel in maps of pieces where an image has no file."""


@dataclass(frozen=True)
class StructureDescription:
    """What structure maps were computed with, as ``structure.json`` says.

    Attributes:
        kind: edges, hed, pieces, depth or colours.
        source: network or rule that made them.
        side: side of a map in pixels.
        store: fingerprint of the epoch store whose images they are.
    """

    kind: Kind
    source: str
    side: int
    store: str


class StructureMaps(FingerprintedFolder[StructureDescription]):
    """Structure maps on disk, beside the image features, by row of the epoch store's images.

    See :class:`FingerprintedFolder`.
    """

    SIDECAR, DESCRIPTION = "structure.json", StructureDescription

    def __init__(self, path: Path, store: str):
        super().__init__(path, store)
        self._maps = read_tensor(path / "structure.safetensors", "maps")

    @property
    def kind(self) -> Kind:
        """Kind of the maps: edges, hed, pieces, depth or colours."""
        return self.description.kind

    @property
    def side(self) -> int:
        """Side of a map in pixels."""
        return self.description.side

    @property
    def channels(self) -> int:
        """Number of channels of a map, see :data:`CHANNELS`."""
        return CHANNELS[self.kind]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of all maps together, (images, channels, side, side)."""
        return len(self._maps), self.channels, self.side, self.side

    def __len__(self) -> int:
        return len(self._maps)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Read maps: (rows, channels, side, side) float32 from 0 to 1; all 0 where an image has no file."""
        maps = self._maps[rows]
        if maps.ndim == 3:
            maps = maps[:, None]
        if self.kind == "pieces":
            return (maps == np.arange(self.channels, dtype=np.uint8)[:, None, None]).astype(np.float32)
        return maps.astype(np.float32) / 255


def write_maps(path: Path, maps: np.ndarray, description: StructureDescription) -> None:
    """Write maps beside the features of the images.

    Args:
        path: the folder.
        maps: (images, side, side) uint8, colours (images, 3, side, side): number of a piece, or 255 times the map.
        description: what they are of.
    """
    save_file({"maps": np.ascontiguousarray(maps)}, path / "structure.safetensors")
    StructureMaps.write_sidecar(path, description)
