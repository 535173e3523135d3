"""Pictures of a trained encoder: what it retrieves, the evoked potential, which electrodes it needs."""

from pathlib import Path

import numpy as np
import pandas
import torch
from matplotlib.figure import Figure

from components.train_eeg_encoder.cell import Cell
from eegdiffusion.images.corpora.image_files import open_picture
from eegdiffusion.images.encoders.encoder_results import RETRIEVED
from eegdiffusion.images.encoders.image_retrieval import electrode_importance, evoked
from eegdiffusion.images.figures import encoder_figures
from eegdiffusion.images.figures.encoder_figures import Seen

ROWS = 6
"""Test images that are shown, drawn at random."""

SIZE = 128
"""Pixels of a picture."""


def draw(cell: Cell, title: str, device: torch.device) -> dict[str, Figure]:
    """Draw what there is to see of an aligned encoder; by name.

    Args:
        cell: a trained encoder.
        title: ends every title: encoder and data.
        device: where to run.
    """
    description = cell.pairs.store.description
    found = {"retrieved": encoder_figures.retrieved_images(_seen(cell), f"Seen and retrieved images, {title}")}
    if encoder_figures.positioned(description.channels):
        unit = {"uV": "µV"}.get(description.unit, description.unit)
        found["evoked"] = encoder_figures.evoked_topographies(
            evoked(cell.pairs), np.array(description.times), description.channels, unit, f"Evoked potential, {title}"
        )
        importance = electrode_importance(cell.trained.encoder, cell.pairs, device)
        found["importance"] = encoder_figures.importance_topography(
            importance, description.channels, f"Importance of electrodes, {title}"
        )
    return found


def _seen(cell: Cell) -> list[Seen]:
    images, identity = cell.pairs.store.images, cell.pairs.truth["identity"]
    table = pandas.read_parquet(cell.folder / RETRIEVED)
    table = table[table["subject"] == cell.pairs.fold.test[0]]
    every = table["image"].unique()
    chosen = np.sort(np.random.default_rng(0).permutation(every)[:ROWS])

    def picture(row: int):
        return open_picture(Path(images.loc[row, "file"]), SIZE)

    rows = []
    for image in chosen:
        retrieved = table[table["image"] == image].sort_values("place")["retrieved"].tolist()
        right = (identity[retrieved] == identity[image]).tolist()
        concept = images.loc[image, "concept"].lstrip("0123456789_").replace("_", " ")  # without its number
        rows.append(Seen(concept, picture(image), [picture(row) for row in retrieved], right))
    return rows
