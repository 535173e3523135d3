"""Pictures by their files: photographs, and tangrams drawn from their polygons."""

from pathlib import Path

from PIL import Image, UnidentifiedImageError

from components.data import tangrams
from components.errors import InputError


def open_picture(path: Path, size: int) -> Image.Image:
    """Open a picture in RGB; a tangram is drawn ``size`` pixels wide and high.

    Raises:
        InputError: the file cannot be read.
    """
    if path.suffix.lower() == ".svg":
        return tangrams.draw_image(tangrams.read(path), size)
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise InputError(f"{path}: must be an image, intact ({error})") from error
