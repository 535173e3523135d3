"""A corpus's pictures at the size of a generator, and their latents: encoded once, memory-mapped.

``pictures.npy`` takes 3 bytes a pixel, 0.8 MB a picture of 512 x 512; ``latents.npy`` a sixteenth of that or less.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from eegdiffusion.core.storage.sidecar import FingerprintedFolder


@dataclass(frozen=True)
class Encoding:
    """What latents are of, their ``latents.json``.

    Attributes:
        store: fingerprint of the epoch store whose images they are.
        generator: digest of the autoencoder's weights.
        side: of the pictures, in pixels.
        shape: of a latent.
    """

    store: str
    generator: str
    side: int
    shape: tuple[int, int, int]


class ImageLatents(FingerprintedFolder[Encoding]):
    """Latents on disk.

    Args:
        path: their folder.
        store: fingerprint of the epoch store that they are to belong to.

    Raises:
        InputError: they are of other images.

    Attributes:
        latents: (images, c, h, w) float32, means, scaled; zeros where an image has no file.
        pictures: (images, side, side, 3) uint8; zeros where an image has no file.
        known: (images,) bool, which images have a file.
    """

    SIDECAR, DESCRIPTION = "latents.json", Encoding

    def __init__(self, path: Path, store: str):
        super().__init__(path, store)
        self.latents: np.ndarray = np.load(path / "latents.npy", mmap_mode="r")
        self.pictures: np.ndarray = np.load(path / "pictures.npy", mmap_mode="r")
        self.known: np.ndarray = np.load(path / "known.npy")


def write_latents(
    path: Path, encoding: Encoding, known: np.ndarray, parts: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> None:
    """Write latents; see :class:`ImageLatents`.

    Args:
        path: folder to make.
        encoding: what they are of.
        known: (images,) bool.
        parts: rows, their pictures and their latents, of a few images at a time.
    """
    path.mkdir(parents=True)
    side = encoding.side
    pictures = open_memmap(path / "pictures.npy", "w+", np.uint8, (len(known), side, side, 3))
    latents = open_memmap(path / "latents.npy", "w+", np.float32, (len(known), *encoding.shape))
    for rows, some_pictures, some_latents in parts:
        pictures[rows], latents[rows] = some_pictures, some_latents
    pictures.flush()
    latents.flush()
    np.save(path / "known.npy", known)
    ImageLatents.write_sidecar(path, encoding)
