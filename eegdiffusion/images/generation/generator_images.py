"""Images of a corpus as a generator sees them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.hashing import content_hash
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.images.corpora.image_files import fitted_image
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.generation.generator import Generator

BATCH = 16
"""Number of images that are read at a time."""


def images_with_files(store: EpochStore) -> np.ndarray:
    """Say which images of a store have a file, (images,) bool.

    Raises:
        InputError: none has.
    """
    known = store.images["sha256"].notna().to_numpy()
    if not known.any():
        raise InputError(f"{store.path}: has no images; what conditions a generator needs them")
    return known


def image_file(images: pandas.DataFrame, row: int) -> Path:
    """Return the file of an image of a store.

    Raises:
        InputError: the file is not the one that ingestion saw.
    """
    path = Path(images["file"][row])
    if not path.is_file() or content_hash(path) != images["sha256"][row]:
        raise InputError(f"{path}: must be the image that ingest_images saw; run `dvc repro ingest_images`")
    return path


def image_pixels(images: pandas.DataFrame, rows: np.ndarray, side: int) -> np.ndarray:
    """Read some images of a store.

    Args:
        images: table of the store's images.
        rows: rows of the images to read.
        side: side in pixels to which they are brought.

    Returns:
        (rows, side, side, 3) uint8.

    Raises:
        InputError: a file is not the one that ingestion saw; see :func:`image_file`.
    """
    return np.stack([fitted_image(image_file(images, row), side) for row in rows])


def latent_parts(
    generator: Generator, images: pandas.DataFrame, known: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Encode the images of a store a few at a time.

    Args:
        generator: generator whose autoencoder encodes.
        images: table of the store's images.
        known: (images,) bool, which images have a file.

    Yields:
        rows, their images (rows, side, side, 3) uint8, and their latents (rows, c, h, w).
    """
    rows = np.flatnonzero(known)
    for start in progress(range(0, len(rows), BATCH), desc="latents", unit="batch"):
        batch_rows = rows[start : start + BATCH]
        batch_images = image_pixels(images, batch_rows, generator.source.image_size)
        yield batch_rows, batch_images, generator.encode(batch_images).numpy()
