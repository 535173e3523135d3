"""Reconstructed pictures on disk: a folder for each system, with an array for each arm."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.storage.array_file import map_array
from eegdiffusion.core.storage.batched_array import Batches, array_batches, write_batches
from eegdiffusion.core.storage.parquet_file import read_parquet

ITEMS, SEEN = "items.parquet", "seen.npy"
ARM, STRUCTURE = "arm", "structure"
BATCH = 64
"""Number of images that are copied at a time."""


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
        write_seen(folder, self.items, array_batches(self.seen, BATCH), self.seen.shape[1:], self.structure)
        for name, images in self.arms.items():
            items, samples = images.shape[:2]
            batches = array_batches(images.reshape(-1, *images.shape[2:]), BATCH)
            write_arm(folder, name, (items, samples, *images.shape[2:]), batches, BATCH)


def write_seen(
    folder: Path, items: pandas.DataFrame, seen: Batches, shape: tuple[int, ...], structure: Mapping[str, np.ndarray]
) -> None:
    """Write what reconstructions are compared with; see :class:`Reconstructions`.

    Args:
        folder: folder that is there.
        items: table with a row for each item.
        seen: makes the images that the items show, batch by batch; a row is an item.
        shape: (height, width, 3) of an image.
        structure: structure maps by title.
    """
    items.to_parquet(folder / ITEMS, index=False)
    write_batches(folder / SEEN, (len(items), *shape), np.uint8, seen, BATCH)
    for name, values in structure.items():
        np.save(folder / f"{STRUCTURE}-{name}.npy", values.astype(np.float16))


def write_arm(folder: Path, name: str, shape: tuple[int, ...], images: Batches, step: int) -> None:
    """Write the images of an arm as they are made; an interrupted call is gone on with, see :func:`write_batches`.

    Args:
        folder: folder that is there.
        name: name of the arm.
        shape: (items, samples, height, width, 3).
        images: makes them batch by batch; a row is a sample of an item, item by item.
        step: number of images of a batch.
    """
    write_batches(folder / f"{ARM}-{name}.npy", shape, np.uint8, images, step, axes=2)


def read_reconstructions(folder: Path) -> Reconstructions:
    """Read what :meth:`Reconstructions.write` wrote; images are memory-mapped."""

    def arrays(kind: str) -> dict[str, np.ndarray]:
        paths = sorted(folder.glob(f"{kind}-*.npy"))
        return {path.stem.removeprefix(f"{kind}-"): map_array(path) for path in paths}

    return Reconstructions(read_parquet(folder / ITEMS), map_array(folder / SEEN), arrays(ARM), arrays(STRUCTURE))
