"""Inspects an aligned encoder: what it retrieves, the evoked potential, what its retrieval rests on."""

from pathlib import Path

import numpy as np
import torch

from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.images.corpora.image_files import fitted_image
from eegdiffusion.images.encoders.encoder_inspection import EncoderInspection
from eegdiffusion.images.encoders.encoder_results import RETRIEVED
from eegdiffusion.images.encoders.image_retrieval import evoked_potential
from eegdiffusion.images.encoders.occlusion import compute_saliency
from eegdiffusion.images.encoders.training_run import TrainingRun

ROWS = 6
"""Number of test images that are shown, drawn at random."""

SIDE = 128
"""Side of a shown image in pixels."""


def inspect_encoder(run: TrainingRun, device: torch.device) -> EncoderInspection:
    """Compute the arrays that figures of an aligned encoder are drawn from; its results must be written.

    Args:
        run: a training on recorded pairs.
        device: device to compute on.
    """
    description = run.pairs.store.description
    return EncoderInspection(
        *_retrieved_images(run),
        channels=np.array(description.channels),
        times=np.array(description.times),
        unit=description.unit,
        evoked=evoked_potential(run.pairs),
        **vars(compute_saliency(run.trained.encoder, run.pairs, device)),
    )


def _retrieved_images(run: TrainingRun) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw test images, and read them and what the first test subject's EEG retrieved."""
    images, identity = run.pairs.store.images, run.pairs.truth["identity"]
    table = read_parquet(run.folder / RETRIEVED)
    table = table[table["subject"] == run.pairs.fold.test[0]]
    chosen = np.sort(np.random.default_rng(0).permutation(table["image"].unique())[:ROWS])
    by_rank = table[table["image"].isin(chosen)].pivot(index="image", columns="place", values="retrieved")
    retrieved = by_rank.sort_index(axis=1).loc[chosen].to_numpy()

    def read_images(rows: np.ndarray) -> np.ndarray:
        return np.stack([fitted_image(Path(images.loc[row, "file"]), SIDE) for row in rows])

    names = images.loc[chosen, "concept"].str.lstrip("0123456789_").str.replace("_", " ")  # without its number
    pixels = read_images(retrieved.ravel()).reshape(*retrieved.shape, SIDE, SIDE, 3)
    return names.to_numpy(str), read_images(chosen), pixels, identity[retrieved] == identity[chosen][:, None]
