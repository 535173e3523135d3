"""Structure maps of pictures: edges, pieces of tangrams, depth, colour layout."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from components.embed_images.settings import EmbedImages
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.corpora import tangrams
from eegdiffusion.images.corpora.image_files import fitted_picture
from eegdiffusion.images.structure import colour_layout
from eegdiffusion.images.structure.depth_maps import DepthMaps
from eegdiffusion.images.structure.hed import WEIGHTS, hed_edges, load_hed, load_packaged_hed
from eegdiffusion.images.structure.soft_edges import OVERSAMPLING, SOURCE, soft_edges
from eegdiffusion.images.structure.structure_maps import ABSENT, Kind

SIZE = 512
"""Side at which networks see the pictures: that of ControlNet's annotators."""

BATCH = 4
"""Pictures that they see at a time."""

Mapper = Callable[[list[Path]], np.ndarray]
"""Maps of the pictures in some files: (files, [3,] side, side) uint8."""


def kind_of(settings: EmbedImages, files: list[Path]) -> Kind:
    """The kind of maps that these pictures get."""
    if settings.structure != "auto":
        return settings.structure
    return "pieces" if files and all(file.suffix.lower() == ".svg" for file in files) else "colours"


def _bytes(maps: np.ndarray) -> np.ndarray:
    return np.round(255 * maps).astype(np.uint8)


def _mapper(kind: Kind, settings: EmbedImages, device: torch.device) -> tuple[Mapper, str]:
    """What makes maps of a kind, and its name."""
    side = settings.structure_size

    def fitted(files: list[Path]) -> list[Image.Image]:
        return [Image.fromarray(fitted_picture(file, SIZE)) for file in files]

    match kind:
        case "pieces":
            return lambda files: np.stack([tangrams.piece_mask(_tangram(file), side) for file in files]), "polygons"
        case "edges":
            return lambda files: _bytes(
                np.stack([soft_edges(fitted_picture(file, OVERSAMPLING * side)) for file in files])
            ), SOURCE
        case "colours":
            return lambda files: np.stack(
                [colour_layout.colour_layout(fitted_picture(file, SIZE), side) for file in files]
            ), colour_layout.SOURCE
        case "hed":
            source = settings.structure_source
            network = (load_hed(Path(source)) if source else load_packaged_hed()).to(device)
            return lambda files: _bytes(hed_edges(network, fitted(files), side)), source or str(WEIGHTS)
        case "depth":
            depth = DepthMaps(Path(settings.structure_source), device)
            return lambda files: _bytes(depth(fitted(files), side)), settings.structure_source


def _tangram(file: Path) -> tangrams.Tangram:
    if file.suffix.lower() != ".svg":
        raise InputError(f"embed_images.structure: pieces are those of tangrams, and {file} is none; must be another")
    return tangrams.read(file)


def structure_maps(
    images: int, files: dict[int, Path], settings: EmbedImages, device: torch.device
) -> tuple[np.ndarray, Kind, str]:
    """Make the maps of a corpus's images.

    Args:
        images: how many there are.
        files: row -> picture, of those that are there.
        settings: kind, size and source.
        device: for networks.

    Returns:
        uint8 maps as ``write_maps`` takes them, their kind, and what made them.

    Raises:
        InputError: the pictures, or the source, do not fit the kind.
    """
    kind, rows = kind_of(settings, list(files.values())), list(files)
    shape = (images, 3) if kind == "colours" else (images,)
    empty = ABSENT if kind == "pieces" else 0
    found = np.full((*shape, settings.structure_size, settings.structure_size), empty, np.uint8)
    if not rows:
        return found, kind, "none"
    mapper, source = _mapper(kind, settings, device)
    for k in tqdm(range(0, len(rows), BATCH), desc=f"structure: {kind}", unit="batch"):
        batch = rows[k : k + BATCH]
        found[batch] = mapper([files[row] for row in batch])
    return found, kind, source
