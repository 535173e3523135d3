"""Reconstructed pictures on disk: a folder for each system, with an array for each arm."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas

ITEMS, SEEN = "items.parquet", "seen.npy"
ARM, STRUCTURE = "arm", "structure"


@dataclass(frozen=True)
class Reconstructions:
    """Images that a system made from EEG.

    Attributes:
        items: table of ``subject``, ``image`` (row of the store's images) and ``concept``, a row for each item.
        seen: (items, height, width, 3) uint8, the image that each item shows.
        arms: (items, samples, height, width, 3) uint8 by name of the arm.
        structure: (items, channels, side, side) structure maps from 0 to 1 by title.
    """

    items: pandas.DataFrame
    seen: np.ndarray
    arms: Mapping[str, np.ndarray]
    structure: Mapping[str, np.ndarray]

    def write(self, folder: Path) -> None:
        """Write ``items.parquet``, ``seen.npy``, ``arm-*.npy`` and ``structure-*.npy`` to a new folder."""
        folder.mkdir(parents=True)
        self.items.to_parquet(folder / ITEMS, index=False)
        np.save(folder / SEEN, self.seen)
        for kind, arrays in ((ARM, self.arms), (STRUCTURE, self.structure)):
            for name, values in arrays.items():
                np.save(folder / f"{kind}-{name}.npy", values if kind == ARM else values.astype(np.float16))


def read_reconstructions(folder: Path) -> Reconstructions:
    """Read what :meth:`Reconstructions.write` wrote; images are memory-mapped."""

    def arrays(kind: str) -> dict[str, np.ndarray]:
        paths = sorted(folder.glob(f"{kind}-*.npy"))
        return {path.stem.removeprefix(f"{kind}-"): np.load(path, mmap_mode="r") for path in paths}

    return Reconstructions(
        pandas.read_parquet(folder / ITEMS), np.load(folder / SEEN, mmap_mode="r"), arrays(ARM), arrays(STRUCTURE)
    )
