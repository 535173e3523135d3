"""Images from files: photographs, and tangrams drawn from their polygons."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from eegdiffusion.core.recordings.recording_files import find_files
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.corpora import tangrams


def open_image(path: Path, size: int) -> Image.Image:
    """Open an image in RGB; a tangram is drawn ``size`` pixels wide and high, a photograph keeps its own size.

    Raises:
        InputError: the file cannot be read.
    """
    if path.suffix.lower() == ".svg":
        return tangrams.draw_image(tangrams.read_tangram(path), size)
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise InputError(f"{path}: must be an image, intact ({error})") from error


KINDS = {".jpg", ".jpeg", ".png", ".svg"}


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
