"""Images that a small generator learns from, and those of a corpus that it must not know."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas
import torch

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.hashing import content_hash
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.images.corpora.image_files import fitted_image, list_image_files, open_image
from eegdiffusion.images.epochs.classes import classes_of
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.features.image_features import ImageFeatures
from eegdiffusion.images.features.image_networks import NetworkName, load_network
from eegdiffusion.images.generation.generator import Generator

BATCH = 16
"""Number of images that are read at a time."""

EXEMPLARS = 3
"""Fewest images of a concept with which an EEG classifier holds some of them out; see
``eegdiffusion.images.epochs.classes``."""


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


def held_out_images(images: pandas.DataFrame) -> np.ndarray:
    """Say which images, (images,) bool, test or validate the decoding of EEG, which a generator must not know."""
    held_out = (images["split"] != "train").to_numpy()
    most = images.loc[~held_out, "concept"].value_counts().max()
    if most < EXEMPLARS:
        return held_out
    return held_out | np.isin(classes_of(images, None, seed=0).split, ("validation", "test"))


def generator_training_images(
    folder: Path, images: pandas.DataFrame, features: ImageFeatures, side: int,
    network: tuple[NetworkName, str | None, bool], device: torch.device,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Read what a small generator learns from: the images of a folder and of a corpus's training split, each once.

    Args:
        folder: folder of images.
        images: table of the images of the corpus's store.
        features: features of these images.
        side: side of the images read, in pixels.
        network: name and source of the network that made the features, and whether the hub may be asked for it.
        device: device on which the features of the folder's images are computed.

    Returns:
        (n, side, side, 3) uint8 images, and their (n, width) features.

    Raises:
        InputError: there are no such images.
    """
    known, held_out = images["sha256"].notna().to_numpy(), held_out_images(images)
    rows = np.flatnonzero(known & ~held_out).tolist()
    training_images = [fitted_image(image_file(images, row), side) for row in rows]
    training_features = [features.features[row] for row in rows]
    # Of the folder, neither an image that is held out nor one of the corpus's training images.
    corpus_hashes = set(images.loc[known, "sha256"])
    files = progress(list_image_files(folder), desc="more images", unit="image")
    more = [path for path in files if content_hash(path) not in corpus_hashes]
    compute_features, _ = load_network(*network, device)
    for start in progress(range(0, len(more), BATCH), desc=f"{network[0]} features", unit="batch"):
        batch = more[start : start + BATCH]
        training_features.extend(compute_features([open_image(path, side) for path in batch]))
        training_images += [fitted_image(path, side) for path in batch]
    if not training_images:
        raise InputError(f"{folder}: must hold pictures to train a small generator on (found none, nor in the corpus)")
    return np.stack(training_images), np.stack(training_features)


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
