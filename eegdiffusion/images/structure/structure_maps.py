"""Maps of the structure of a corpus's images, computed once: ``structure.safetensors`` and ``structure.json``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from safetensors.numpy import load_file, save_file

from eegdiffusion.core.storage.sidecar import read_description, write_description
from eegdiffusion.images.corpora.tangrams import PIECES

Kind = Literal["edges", "hed", "pieces", "depth", "colours"]

CHANNELS: dict[Kind, int] = {"edges": 1, "hed": 1, "pieces": 1 + PIECES, "depth": 1, "colours": 3}
"""Of a map of each kind: edges from 0 to 1, the background and each piece of a tangram, depth from 0 to 1, RGB."""

ABSENT = 255
"""Value of a pixel in maps of pieces where an image has no file."""

FILE = "structure.json"


@dataclass(frozen=True)
class Description:
    """What maps are of, their ``structure.json``.

    Attributes:
        kind: edges, hed, pieces, depth or colours.
        source: what made them.
        side: of a map, in pixels.
        store: fingerprint of the epoch store whose images they are.
    """

    kind: Kind
    source: str
    side: int
    store: str


class StructureMaps:
    """Maps on disk, by row of the store's images.

    Args:
        path: folder of the image features.
        store: fingerprint of the epoch store that they are to belong to.

    Raises:
        InputError: there are none, or they are of other images.
    """

    def __init__(self, path: Path, store: str):
        self.description = read_description(path / FILE, Description, store)
        self._maps = load_file(path / "structure.safetensors")["maps"]

    @property
    def kind(self) -> Kind:
        """Edges, hed, pieces, depth or colours."""
        return self.description.kind

    @property
    def side(self) -> int:
        """Of a map, in pixels."""
        return self.description.side

    @property
    def channels(self) -> int:
        """Of a map."""
        return CHANNELS[self.kind]

    def __len__(self) -> int:
        return len(self._maps)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Read maps: (rows, channels, side, side) float32 from 0 to 1; all 0 where an image has no file."""
        found = self._maps[rows]
        if found.ndim == 3:
            found = found[:, None]
        if self.kind == "pieces":
            return (found == np.arange(self.channels, dtype=np.uint8)[:, None, None]).astype(np.float32)
        return found.astype(np.float32) / 255


def write_maps(path: Path, maps: np.ndarray, description: Description) -> None:
    """Write maps beside the features of the images.

    Args:
        path: the folder.
        maps: (images, side, side) uint8, colours (images, 3, side, side): number of a piece, or 255 times the map.
        description: what they are of.
    """
    save_file({"maps": np.ascontiguousarray(maps)}, path / "structure.safetensors")
    write_description(path / FILE, description)
