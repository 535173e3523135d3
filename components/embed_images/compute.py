"""Computes frozen features and structure maps of a corpus's images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from components.embed_images.settings import EmbedImages
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.images.corpora.image_files import open_image
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.features.image_features import FeaturesDescription, write_features
from eegdiffusion.images.features.image_networks import load_network
from eegdiffusion.images.structure.map_computation import compute_structure_maps
from eegdiffusion.images.structure.structure_maps import Kind, StructureDescription, write_maps

SIZE = 224
"""Side in pixels at which a tangram is drawn."""


@dataclass(frozen=True)
class EmbeddedImages:
    """A corpus's images whose features and structure maps are written.

    Attributes:
        present: number of images that have a file.
        total: number of images.
        width: length of a feature vector; 0 where no image has a file.
        kind: kind of the structure maps.
    """

    present: int
    total: int
    width: int
    kind: Kind


def compute(store: EpochStore, settings: EmbedImages, out: Path, device: torch.device) -> EmbeddedImages:
    """Write features and structure maps, by row of the store's images.

    Args:
        store: epochs whose images are embedded.
        settings: settings of the stage.
        out: folder to write.
        device: device of the networks.

    Raises:
        InputError: an image, or a network's source, cannot be read or does not fit the settings.
    """
    named = store.images["file"].where(store.images["sha256"].notna())
    files = {row: Path(file) for row, file in enumerate(named) if isinstance(file, str)}
    features, source = _features(len(named), files, settings, device)
    width, fingerprint = features.shape[1], store.description.fingerprint
    write_features(out, features, FeaturesDescription(settings.model, source, width, fingerprint))
    maps, kind, maker = compute_structure_maps(
        len(named), files, settings.structure, settings.structure_source, settings.structure_size, device
    )
    write_maps(out, maps, StructureDescription(kind, maker, settings.structure_size, fingerprint))
    return EmbeddedImages(len(files), len(named), width, kind)


def _features(
    images: int, files: dict[int, Path], settings: EmbedImages, device: torch.device
) -> tuple[np.ndarray, str]:
    """Compute features (images, width), NaN where there is no file; and say where the network's weights came from."""
    if not files:
        return np.empty((images, 0), np.float32), "none"
    embed, source = load_network(settings.model, settings.source, settings.download, device)
    rows, vectors = list(files), []
    for k in progress(range(0, len(rows), settings.batch_size), desc=f"{settings.model} features", unit="batch"):
        vectors.append(embed([open_image(files[row], SIZE) for row in rows[k : k + settings.batch_size]]))
    embedded = np.concatenate(vectors)
    features = np.full((images, embedded.shape[1]), np.nan, np.float32)
    features[rows] = embedded
    return features, source
