"""Computes structure maps of images: edges, pieces of tangrams, depth, colour layout."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.images.corpora import tangrams
from eegdiffusion.images.corpora.image_files import fitted_image
from eegdiffusion.images.structure import colour_layout
from eegdiffusion.images.structure.depth_maps import DepthMaps
from eegdiffusion.images.structure.hed import WEIGHTS, hed_edges, load_hed, load_packaged_hed
from eegdiffusion.images.structure.soft_edges import OVERSAMPLING, SOURCE, soft_edges
from eegdiffusion.images.structure.structure_maps import ABSENT, ChosenKind, Kind

SIZE = 512
"""Side at which networks see the pictures: that of ControlNet's annotators."""

BATCH = 4
"""Pictures that they see at a time."""

Mapper = Callable[[list[Path]], np.ndarray]
"""Computes the maps of the images in some files: (files, [3,] side, side) uint8."""


def resolve_kind(chosen: ChosenKind, files: list[Path]) -> Kind:
    """Return the kind of maps that the images in these files get."""
    if chosen != "auto":
        return chosen
    return "pieces" if files and all(file.suffix.lower() == ".svg" for file in files) else "colours"


def _bytes(maps: np.ndarray) -> np.ndarray:
    return np.round(255 * maps).astype(np.uint8)


def _load_mapper(kind: Kind, source: str | None, side: int, device: torch.device) -> tuple[Mapper, str]:
    """Load what computes maps of a kind, and say where it comes from."""

    def fitted(files: list[Path]) -> list[Image.Image]:
        return [Image.fromarray(fitted_image(file, SIZE)) for file in files]

    match kind:
        case "pieces":
            return lambda files: np.stack(
                [tangrams.piece_mask(_read_tangram(file), side) for file in files]
            ), "polygons"
        case "edges":
            return lambda files: _bytes(
                np.stack([soft_edges(fitted_image(file, OVERSAMPLING * side)) for file in files])
            ), SOURCE
        case "colours":
            return lambda files: np.stack(
                [colour_layout.colour_layout(fitted_image(file, SIZE), side) for file in files]
            ), colour_layout.SOURCE
        case "hed":
            network = (load_hed(Path(source)) if source else load_packaged_hed()).to(device)
            return lambda files: _bytes(hed_edges(network, fitted(files), side)), source or str(WEIGHTS)
        case "depth":
            if source is None:
                raise InputError("embed_images.structure_source: must be the folder of a depth model (found null)")
            depth = DepthMaps(Path(source), device)
            return lambda files: _bytes(depth(fitted(files), side)), source


def _read_tangram(file: Path) -> tangrams.Tangram:
    if file.suffix.lower() != ".svg":
        raise InputError(f"embed_images.structure: pieces are those of tangrams, and {file} is none; must be another")
    return tangrams.read_tangram(file)


def compute_structure_maps(
    images: int, files: dict[int, Path], chosen: ChosenKind, source: str | None, side: int, device: torch.device
) -> tuple[np.ndarray, Kind, str]:
    """Compute the maps of a corpus's images.

    Args:
        images: number of images.
        files: file of each image that has one, by row.
        chosen: kind of the maps.
        source: of ``depth`` the folder of a model of transformers, of ``hed`` a file of weights; None: those of a
            package.
        side: side of a map in pixels.
        device: device of the networks.

    Returns:
        uint8 maps as ``write_maps`` takes them, their kind, and the network or rule that made them.

    Raises:
        InputError: the images, or the source, do not fit the kind.
    """
    kind, rows = resolve_kind(chosen, list(files.values())), list(files)
    shape = (images, 3) if kind == "colours" else (images,)
    empty = ABSENT if kind == "pieces" else 0
    maps = np.full((*shape, side, side), empty, np.uint8)
    if not rows:
        return maps, kind, "none"
    mapper, maker = _load_mapper(kind, source, side, device)
    for k in progress(range(0, len(rows), BATCH), desc=f"structure: {kind}", unit="batch"):
        batch = rows[k : k + BATCH]
        maps[batch] = mapper([files[row] for row in batch])
    return maps, kind, maker
