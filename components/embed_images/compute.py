"""Computes frozen features and structure maps of a corpus's images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from components.embed_images.settings import EmbedImages
from eegdiffusion.core.runtime.errors import InputError, nearest
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.images.corpora.image_files import open_image
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.features.image_features import OUTPUT, FeaturesDescription, write_features
from eegdiffusion.images.features.image_networks import open_network
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
    layers, source = _layers(len(named), files, settings, device)
    features = layers.pop(OUTPUT)
    width, fingerprint = features.shape[1], store.description.fingerprint
    write_features(out, features, FeaturesDescription(settings.model, source, width, fingerprint, list(layers)), layers)
    maps, kind, maker = compute_structure_maps(
        len(named), files, settings.structure, settings.structure_source, settings.structure_size, device
    )
    write_maps(out, maps, StructureDescription(kind, maker, settings.structure_size, fingerprint))
    return EmbeddedImages(len(files), len(named), width, kind)


def _layers(
    images: int, files: dict[int, Path], settings: EmbedImages, device: torch.device
) -> tuple[dict[str, np.ndarray], str]:
    """Compute activations (images, width), NaN where there is no file; and say where the network's weights came from.

    Returns:
        activations of the layers of the settings, from shallow to deep, then those of ``output``; and the source.
    """
    if not files:
        return {OUTPUT: np.empty((images, 0), np.float32)}, "none"
    network, source = open_network(settings.model, settings.source, settings.download, device)
    names = [*_chosen_layers(network.layer_names[:-1], settings), OUTPUT]
    rows, batches = list(files), []
    for k in progress(range(0, len(rows), settings.batch_size), desc=f"{settings.model} features", unit="batch"):
        pictures = [open_image(files[row], SIZE) for row in rows[k : k + settings.batch_size]]
        batches.append(network.layers(pictures, names))
    layers = {}
    for name in names:
        embedded = np.concatenate([batch[name] for batch in batches])
        layers[name] = np.full((images, embedded.shape[1]), np.nan, np.float32)
        layers[name][rows] = embedded
    return layers, source


def _chosen_layers(known: list[str], settings: EmbedImages) -> list[str]:
    """Return the layers of the settings, from shallow to deep.

    Raises:
        InputError: the network has no such layer.
    """
    if isinstance(settings.layers, int):
        count = min(settings.layers, len(known))
        return [known[k] for k in np.linspace(0, len(known) - 1, count).round().astype(int)]
    for name in settings.layers:
        if name not in known:
            raise InputError(
                f"embed_images.layers: must be among {', '.join(known)} of {settings.model} (found {name})"
                f"{nearest(name, known)}"
            )
    return [name for name in known if name in settings.layers]
