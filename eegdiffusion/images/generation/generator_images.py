"""Pictures that a small generator learns from, and those of a corpus that it must not know."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas
import torch
from tqdm import tqdm

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.hashing import content_hash
from eegdiffusion.images.corpora.image_files import fitted_picture, open_picture, picture_files
from eegdiffusion.images.epochs.classes import classes_of
from eegdiffusion.images.features.image_features import ImageFeatures
from eegdiffusion.images.features.image_networks import NetworkName, load_network
from eegdiffusion.images.generation.generator import Generator

BATCH = 16

EXEMPLARS = 3
"""Of a concept, so that a classifier of EEG is tested on some of them; see ``eegdiffusion.images.epochs.classes``."""


def image_file(images: pandas.DataFrame, row: int) -> Path:
    """File of an image of a store.

    Raises:
        InputError: it is not the file that ingestion saw.
    """
    path = Path(images["file"][row])
    if not path.is_file() or content_hash(path) != images["sha256"][row]:
        raise InputError(f"{path}: must be the image that ingest_images saw; run `dvc repro ingest_images`")
    return path


def image_pixels(images: pandas.DataFrame, rows: np.ndarray, side: int) -> np.ndarray:
    """Pictures of a store's images: (rows, side, side, 3) uint8; see :func:`image_file`."""
    return np.stack([fitted_picture(image_file(images, row), side) for row in rows])


def held_out_images(images: pandas.DataFrame) -> np.ndarray:
    """Which images (images,) bool test or validate the decoding of EEG: a generator must not know them."""
    held_out = (images["split"] != "train").to_numpy()
    most = images.loc[~held_out, "concept"].value_counts().max()
    if most < EXEMPLARS:
        return held_out
    return held_out | np.isin(classes_of(images, None, seed=0).split, ("validation", "test"))


def learned_pictures(
    folder: Path, images: pandas.DataFrame, features: ImageFeatures, side: int,
    network: tuple[NetworkName, str | None], device: torch.device,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Gather what a small generator learns from: pictures of a folder and of a corpus's training, each once.

    Args:
        folder: with pictures.
        images: of the corpus's store.
        features: of these images.
        side: of the pictures, in pixels.
        network: that made the features, and its source.
        device: where the features of the folder's pictures are computed.

    Returns:
        (n, side, side, 3) uint8, and their features (n, width).

    Raises:
        InputError: there are none.
    """
    known, held_out = images["sha256"].notna().to_numpy(), held_out_images(images)
    rows = np.flatnonzero(known & ~held_out)
    pictures = [fitted_picture(image_file(images, row), side) for row in rows]
    found = [features.features[row] for row in rows]
    # Neither a picture that is held out nor one that is there already.
    seen = set(images.loc[known, "sha256"])
    files = tqdm(picture_files(folder), desc="more pictures", unit="picture")
    more = [path for path in files if content_hash(path) not in seen]
    compute, _ = load_network(*network, device)
    for k in tqdm(range(0, len(more), BATCH), desc=f"{network[0]} features", unit="batch"):
        part = [open_picture(path, side) for path in more[k : k + BATCH]]
        found.extend(compute(part))
        pictures += [fitted_picture(path, side) for path in more[k : k + BATCH]]
    if not pictures:
        raise InputError(f"{folder}: must hold pictures to train a small generator on (found none, nor in the corpus)")
    return np.stack(pictures), np.stack(found)


def latent_parts(
    generator: Generator, images: pandas.DataFrame, known: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Encode the images of a store, a few at a time: rows, their pictures, their latents."""
    rows = np.flatnonzero(known)
    for k in tqdm(range(0, len(rows), BATCH), desc="latents", unit="batch"):
        part = rows[k : k + BATCH]
        pictures = image_pixels(images, part, generator.source.image_size)
        yield part, pictures, generator.encode(pictures).numpy()
