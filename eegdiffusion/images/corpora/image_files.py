"""Images from files: photographs, and tangrams drawn from their polygons."""

from pathlib import Path

import numpy as np
from PIL import Image, WebPImagePlugin  # noqa: F401 (Pillow loads the readers of the other formats by itself)

from eegdiffusion.core.recordings.recording_files import find_files
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.corpora import tangrams

FORMATS = ("JPEG", "PNG", "BMP", "WEBP")
"""Formats of photographs, by their content; Pillow would start other programs for some that it knows."""

KINDS = {".jpg", ".jpeg", ".png", ".svg", ".bmp", ".webp"}
"""Endings of the files that are read, in lower case."""

MOST_PIXELS = 1 << 26
"""Pixels of a photograph, which take four bytes each."""

MOST_ELONGATED = 50
"""Times its shorter side that a photograph's longer one may have, as the shorter is scaled to a size."""


def open_image(path: Path, size: int) -> Image.Image:
    """Open an image in RGB; a tangram is drawn ``size`` pixels wide and high, a photograph keeps its own size.

    Raises:
        InputError: the file cannot be read, is of another format, or too large.
    """
    if path.suffix.lower() == ".svg":
        return tangrams.draw_image(tangrams.read_tangram(path), size)
    try:
        with Image.open(path, formats=FORMATS) as image:
            _require_size(path, *image.size)
            return image.convert("RGB")
    except InputError:
        raise
    except Exception as error:  # Pillow raises nearly anything on a damaged file
        formats = ", ".join(FORMATS)
        raise InputError(f"{path}: must be an image of {formats}, intact ({type(error).__name__}: {error})") from error


def _require_size(path: Path, width: int, height: int) -> None:
    if min(width, height) < 1 or width * height > MOST_PIXELS:
        raise InputError(f"{path}: size: must be at most {MOST_PIXELS} pixels (found {width} x {height})")
    if max(width, height) > MOST_ELONGATED * min(width, height):
        rule = f"one side must be at most {MOST_ELONGATED} times the other"
        raise InputError(f"{path}: size: {rule} (found {width} x {height})")


def list_image_files(folder: Path) -> list[Path]:
    """List the image files below a folder, sorted by path.

    Raises:
        InputError: an image file, or a folder that may hold some, cannot be opened.
    """
    paths, problems = find_files(folder, lambda name: Path(name).suffix.lower() in KINDS)
    if errors := [problem for problem in problems if problem.severity == "error"]:
        raise InputError(*(f"{folder / problem.path}: {problem.message}" for problem in errors))
    return [folder / path for path in paths]


def fitted_image(path: Path, side: int) -> np.ndarray:
    """Open an image, scale its shorter side to ``side`` pixels and crop the middle: (side, side, 3) uint8.

    Raises:
        InputError: the file cannot be read.
    """
    image = open_image(path, side)
    scale = side / min(image.size)
    image = image.resize([max(side, round(length * scale)) for length in image.size], Image.Resampling.LANCZOS)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return np.asarray(image.crop((left, top, left + side, top + side)))
