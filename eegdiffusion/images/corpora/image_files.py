"""Pictures by their files: photographs, and tangrams drawn from their polygons."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.corpora import tangrams


def open_picture(path: Path, size: int) -> Image.Image:
    """Open a picture in RGB; a tangram is drawn ``size`` pixels wide and high.

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


def picture_files(folder: Path) -> list[Path]:
    """All pictures below a folder, sorted by name."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in KINDS)


def fitted_picture(path: Path, side: int) -> np.ndarray:
    """Open a picture, scale its shorter side to ``side`` pixels and cut the middle: (side, side, 3) uint8."""
    image = open_picture(path, side)
    scale = side / min(image.size)
    image = image.resize([max(side, round(length * scale)) for length in image.size], Image.Resampling.LANCZOS)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return np.asarray(image.crop((left, top, left + side, top + side)))
