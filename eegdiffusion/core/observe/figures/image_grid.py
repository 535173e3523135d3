"""Images side by side, a row for each kind of them."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from eegdiffusion.core.observe.figures.style import blank_figure


def image_grid(rows: Mapping[str, np.ndarray], title: str) -> Figure:
    """Draw images in a grid.

    Args:
        rows: label -> (n, height, width, 3) uint8, the same n in each row; (n, height, width) is drawn in grey.
        title: title of the figure.
    """
    columns = len(next(iter(rows.values())))
    figure = blank_figure(title, 1.8 + 0.95 * columns, 0.6 + 1.0 * len(rows))
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes, (label, images) in zip(grid, rows.items(), strict=True):
        for ax, image in zip(axes, images, strict=True):
            ax.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_visible(False)
        axes[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
    return figure
