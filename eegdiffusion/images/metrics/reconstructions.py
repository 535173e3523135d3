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
    """Pictures that a system made from EEG.

    Attributes:
        items: ``subject`` and ``image`` (row of the store's images) and ``concept``, a row an item.
        seen: (items, height, width, 3) uint8.
        arms: arm -> (items, samples, height, width, 3) uint8.
        structure: title -> (items, channels, side, side) from 0 to 1.
    """

    items: pandas.DataFrame
    seen: np.ndarray
    arms: Mapping[str, np.ndarray]
    structure: Mapping[str, np.ndarray]

    def write(self, folder: Path) -> None:
        """Write the files; the folder is made."""
        folder.mkdir(parents=True)
        self.items.to_parquet(folder / ITEMS, index=False)
        np.save(folder / SEEN, self.seen)
        for kind, arrays in ((ARM, self.arms), (STRUCTURE, self.structure)):
            for name, values in arrays.items():
                np.save(folder / f"{kind}-{name}.npy", values if kind == ARM else values.astype(np.float16))


def read_reconstructions(folder: Path) -> Reconstructions:
    """Read what :meth:`Reconstructions.write` wrote; pictures are memory-mapped."""

    def arrays(kind: str) -> dict[str, np.ndarray]:
        paths = sorted(folder.glob(f"{kind}-*.npy"))
        return {path.stem.removeprefix(f"{kind}-"): np.load(path, mmap_mode="r") for path in paths}

    return Reconstructions(
        pandas.read_parquet(folder / ITEMS), np.load(folder / SEEN, mmap_mode="r"), arrays(ARM), arrays(STRUCTURE)
    )
