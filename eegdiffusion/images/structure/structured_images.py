"""Images of a corpus with maps of their structure: read once into a memory-mapped file, and a dataset of both."""

import os
from pathlib import Path

import numpy as np
import pandas
from numpy.lib.format import open_memmap

from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.core.storage.array_file import map_array
from eegdiffusion.images.corpora.image_files import fitted_image
from eegdiffusion.images.structure.structure_maps import StructureMaps


def cached_images(images: pandas.DataFrame, side: int, path: Path) -> np.ndarray:
    """Read all images of a store into a file, once.

    Args:
        images: table of the store's images.
        side: side in pixels to which they are brought.
        path: file to keep them in; it is made unless it is there.

    Returns:
        (images, side, side, 3) uint8, memory-mapped; zeros where an image has no file.
    """
    if not path.exists():
        partial = path.with_name(f"{path.name}.{os.getpid()}")  # each process of a distributed run makes its own
        pixels = open_memmap(partial, "w+", np.uint8, (len(images), side, side, 3))
        files = images["file"].where(images["sha256"].notna())
        for row in progress(np.flatnonzero(files.notna()), desc="images", unit="image"):
            pixels[row] = fitted_image(Path(files.iloc[row]), side)
        pixels.flush()
        os.replace(partial, path)
    return map_array(path)


class StructuredImages:
    """A dataset: ``pixels`` (3, side, side) float32 from -1 to 1 and ``structure`` (channels, side, side).

    Args:
        images: (images, side, side, 3) uint8.
        maps: structure maps of all of them.
        rows: images that are used.
    """

    def __init__(self, images: np.ndarray, maps: StructureMaps, rows: np.ndarray):
        self._images, self._maps, self.rows = images, maps, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        """Read items, stacked."""
        rows = self.rows[indices]
        pixels = self._images[rows].transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1
        return {"pixels": pixels, "structure": self._maps[rows]}
