"""Colour layout of pictures: the mean colour of each cell of a coarse grid, as T2I-Adapter's colour condition.

Mou et al. 2023, arXiv:2302.08453, section 3.3, which keeps hue and place and drops all detail.
"""

import numpy as np
from PIL import Image

CELLS = 8
"""Of the grid, each way."""

SOURCE = f"mean colours of {CELLS} x {CELLS} cells"


def colour_layout(picture: np.ndarray, side: int) -> np.ndarray:
    """Find the colour layout of a picture.

    Args:
        picture: (height, width, 3) uint8.
        side: of the map, in pixels; cells are joined bilinearly, so that the map has no edges of its own.

    Returns:
        (3, side, side) uint8
    """
    cells = Image.fromarray(picture).resize((CELLS, CELLS), Image.Resampling.BOX)
    return np.asarray(cells.resize((side, side), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
