"""Figures of reconstructions: what was seen, the structure, and the reconstruction of each arm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas
from matplotlib.figure import Figure

from eegdiffusion.core.observe.figures.style import blank_figure


@dataclass(frozen=True)
class Reconstructed:
    """An item and its reconstructions.

    Attributes:
        label: concept and subject.
        seen: (height, width, 3) uint8 image seen.
        arms: (height, width, 3) uint8, one sample of each arm, by its name.
        structures: (height, width, 3) uint8 structure maps by title, e.g. of the image and from EEG.
    """

    label: str
    seen: np.ndarray
    arms: Mapping[str, np.ndarray]
    structures: Mapping[str, np.ndarray] = field(default_factory=dict)


def drawn_items(items: pandas.DataFrame, count: int, seed: int = 0) -> np.ndarray:
    """Draw items to show at random, of as many test images as there are; no one picks the good ones.

    Args:
        items: table of ``subject`` and ``image``, a row for each item.
        count: number of items to show.
        seed: seed of the draw.

    Returns:
        rows of the chosen items, ascending.
    """
    mixed = items.reset_index(drop=True).sample(frac=1, random_state=seed)
    occurrence = mixed.groupby("image").cumcount()
    return np.sort(occurrence.sort_values(kind="stable").index[:count].to_numpy())


def draw_reconstructions(rows: Sequence[Reconstructed], title: str) -> Figure:
    """Draw a grid with a row for each item: the image seen, its structures, and a column for each arm."""
    columns = ["seen", *rows[0].structures, *rows[0].arms]
    figure = blank_figure(title, 1.25 * len(columns) + 0.6, 1.3 * len(rows) + 1.0)
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for axes, row in zip(grid, rows, strict=True):
        images = [row.seen, *row.structures.values(), *row.arms.values()]
        for ax, image in zip(axes, images, strict=True):
            ax.imshow(image, interpolation="nearest")
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_visible(False)
        axes[0].set_ylabel(row.label, fontsize=8)
    for ax, name in zip(grid[0], columns, strict=True):
        ax.set_title(name.replace("_", "\n").replace("structure ", "structure\n"), fontsize=9)
    return figure
