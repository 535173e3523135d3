"""Colour layout of images: the mean colour of each cell of a coarse grid, as T2I-Adapter's colour condition.

Mou et al. 2023, arXiv:2302.08453, section 3.3, which keeps hue and place and drops all detail.
"""

import numpy as np
from PIL import Image

CELLS = 8
"""Number of cells of the grid along each side."""

SOURCE = f"mean colours of {CELLS} x {CELLS} cells"
"""Rule that makes the maps, as ``structure.json`` says it."""


def colour_layout(image: np.ndarray, side: int) -> np.ndarray:
    """Compute the colour layout of an image.

    Cells are joined bilinearly, so that the map has no edges of its own.

    Args:
        image: (height, width, 3) uint8.
        side: side of the map in pixels.

    Returns:
        (3, side, side) uint8, RGB.
    """
    cells = Image.fromarray(image).resize((CELLS, CELLS), Image.Resampling.BOX)
    return np.asarray(cells.resize((side, side), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
