"""A corpus's images at the size of a generator, and their latents: encoded once, memory-mapped.

``pictures.npy`` takes 3 bytes a pixel, 0.8 MB an image of 512 x 512; ``latents.npy`` a sixteenth of that or less.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from eegdiffusion.core.storage.array_file import load_array, map_array
from eegdiffusion.core.storage.sidecar import FingerprintedFolder


@dataclass(frozen=True)
class Encoding:
    """What latents were made from, as ``latents.json`` says.

    Attributes:
        store: fingerprint of the epoch store whose images they are.
        generator: SHA-256 of the autoencoder's weights.
        side: side of the images in pixels.
        shape: (channels, height, width) of a latent.
    """

    store: str
    generator: str
    side: int
    shape: tuple[int, int, int]


class ImageLatents(FingerprintedFolder[Encoding]):
    """Images and their latents on disk, by row of the epoch store's images; see :class:`FingerprintedFolder`.

    Args:
        path: folder that :func:`write_latents` wrote.
        store: fingerprint of the epoch store that they must belong to.

    Raises:
        InputError: they belong to another epoch store.

    Attributes:
        latents: (images, c, h, w) float32 scaled means; zeros where an image has no file.
        images: (images, side, side, 3) uint8; zeros where an image has no file.
        known: (images,) bool, which images have a file.
    """

    SIDECAR, DESCRIPTION = "latents.json", Encoding

    def __init__(self, path: Path, store: str):
        super().__init__(path, store)
        self.latents: np.ndarray = map_array(path / "latents.npy")
        self.images: np.ndarray = map_array(path / "pictures.npy")
        self.known: np.ndarray = load_array(path / "known.npy", "must say which images have a file")


def write_latents(
    path: Path, encoding: Encoding, known: np.ndarray, parts: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> None:
    """Write images and latents; see :class:`ImageLatents`.

    Args:
        path: folder to make.
        encoding: what the latents are made from.
        known: (images,) bool, which images have a file.
        parts: rows, their images and their latents, of a few images at a time.
    """
    path.mkdir(parents=True)
    side = encoding.side
    images = open_memmap(path / "pictures.npy", "w+", np.uint8, (len(known), side, side, 3))
    latents = open_memmap(path / "latents.npy", "w+", np.float32, (len(known), *encoding.shape))
    for rows, row_images, row_latents in parts:
        images[rows], latents[rows] = row_images, row_latents
    images.flush()
    latents.flush()
    np.save(path / "known.npy", known)
    ImageLatents.write_sidecar(path, encoding)
