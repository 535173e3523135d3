"""Tangrams of Kilogram (Ji et al. 2022): SVG files of seven polygons, and exact masks of their pieces."""

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image, ImageDraw

from eegdiffusion.core.runtime.errors import InputError

PIECES = 7

MOST_BYTES, MOST_CORNERS = 1 << 20, 1000
"""Bytes of a drawing, and corners of a polygon of it."""

LEAST_SIDE, MOST_SIDE, MOST_BOXES = 1e-3, 1e6, 10
"""Sides of a drawing's box, and how many of them a corner may be away from it."""

OVERSAMPLING = 4
"""Pixels are drawn so many times finer, and averaged."""

BACKGROUND, FILL, STROKE = 255, 211, 255
"""Grey values: Kilogram's figures are light grey with white strokes; the ground is white."""

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class Tangram:
    """A tangram as its SVG file describes it.

    Attributes:
        pieces: seven polygons, (corners, 2) each, in the order of their ids.
        box: left, top, width and height of the drawing.
    """

    pieces: list[np.ndarray]
    box: tuple[float, float, float, float]


def read_tangram(path: Path) -> Tangram:
    """Read an SVG file.

    Raises:
        InputError: the file is no such drawing.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if (size := path.stat().st_size) > MOST_BYTES:
        raise InputError(f"{path}: must be a tangram of at most {MOST_BYTES} bytes (found {size})")
    try:
        root = ElementTree.fromstring(path.read_bytes())
        polygons = {
            element.get("id"): element for element in root.iter() if element.tag.rpartition("}")[2] == "polygon"
        }
        if polygons.keys() != {str(k + 1) for k in range(PIECES)}:
            raise ValueError(f"must have polygons of the ids 1 to {PIECES} (found {', '.join(map(str, polygons))})")
        pieces = [_polygon(polygons[str(k + 1)]) for k in range(PIECES)]
        box = [float(value) for value in _NUMBER.findall(root.get("viewBox", ""))]
        if len(box) != 4 or min(box[2:]) <= 0:
            raise ValueError(f"viewBox: must be four numbers, of positive size (found {root.get('viewBox')!r:.80})")
        _check_extent(box, pieces)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InputError(f"{path}: must be a tangram: {error}") from error
    left, top, width, height = box
    return Tangram(pieces, (left, top, width, height))


def _check_extent(box: list[float], pieces: list[np.ndarray]) -> None:
    """Check that a drawing lies on the ground that it is drawn on, so that no line is longer than many of its sides."""
    left, top, width, height = box
    if not LEAST_SIDE <= min(width, height) <= max(width, height) <= MOST_SIDE or max(abs(left), abs(top)) > MOST_SIDE:
        raise ValueError(f"viewBox: must have sides from {LEAST_SIDE:g} to {MOST_SIDE:g} (found {box})")
    for number, corners in enumerate(pieces, start=1):
        # Comparisons with NaN are false, so that one fails too.
        if not (np.abs(corners - [left, top]) <= MOST_BOXES * max(width, height)).all():
            raise ValueError(f"polygon {number}: points: must lie within {MOST_BOXES} sides of the viewBox")


def _polygon(element: ElementTree.Element) -> np.ndarray:
    values = [float(value) for value in _NUMBER.findall(element.get("points", ""))]
    if not 6 <= len(values) <= 2 * MOST_CORNERS or len(values) % 2:
        rule = f"points: must be three or more pairs, {MOST_CORNERS} at most"
        raise ValueError(f"polygon {element.get('id')}: {rule} (found {len(values)} numbers)")
    points = np.reshape(values, (-1, 2))
    if transform := element.get("transform"):
        matrix = [float(value) for value in _NUMBER.findall(transform)]
        if not transform.strip().startswith("matrix") or len(matrix) != 6:
            raise ValueError(f"polygon {element.get('id')}: transform: must be a matrix of six (found {transform!r})")
        a, b, c, d, e, f = matrix
        points = points @ np.array([[a, b], [c, d]]) + [e, f]
    return points


def _placed(tangram: Tangram, size: int, margin: float) -> list[np.ndarray]:
    """Return corners in pixels: the drawing's box fills the square but a margin, and keeps its proportions."""
    left, top, width, height = tangram.box
    scale = size * (1 - 2 * margin) / max(width, height)
    shift = np.array([size - width * scale, size - height * scale]) / 2 - np.array([left, top]) * scale
    return [piece * scale + shift for piece in tangram.pieces]


def piece_mask(tangram: Tangram, size: int, margin: float = 0.06) -> np.ndarray:
    """Draw which piece covers each pixel.

    Args:
        tangram: figure to draw.
        size: side of the mask in pixels.
        margin: share of the side that stays empty at each edge.

    Returns:
        (size, size) uint8, the number of the piece from 1 to 7, 0 where there is none.
    """
    image = Image.new("L", (size, size), 0)
    draw = ImageDraw.Draw(image)
    for number, corners in enumerate(_placed(tangram, size, margin), start=1):
        draw.polygon([tuple(corner) for corner in corners], fill=number)
    return np.asarray(image)


def draw_image(tangram: Tangram, size: int, margin: float = 0.06) -> Image.Image:
    """Draw a figure as it is shown, in light grey with white strokes on white.

    Args:
        tangram: figure to draw.
        size: side of the image in pixels.
        margin: share of the side that stays empty at each edge.

    Returns:
        (size, size) RGB image.
    """
    fine = size * OVERSAMPLING
    image = Image.new("L", (fine, fine), BACKGROUND)
    draw = ImageDraw.Draw(image)
    stroke = min(fine, max(1, round(fine / max(tangram.box[2:]))))
    for corners in _placed(tangram, fine, margin):
        draw.polygon([tuple(corner) for corner in corners], fill=FILL, outline=STROKE, width=stroke)
    return image.resize((size, size), Image.Resampling.BOX).convert("RGB")
