"""Compute frozen features of a corpus's images: ``python -m components.embed_images --corpus NAME``."""

from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from components.embed_images.settings import EmbedImages
from components.embed_images.structure import structure_maps
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.memory import keep_freed_memory
from eegdiffusion.core.training.settings import Accelerator
from eegdiffusion.images.corpora.image_files import open_picture
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.features.image_features import FeaturesDescription, write_features
from eegdiffusion.images.features.image_networks import load_network
from eegdiffusion.images.structure.structure_maps import Kind, StructureDescription, write_maps

SIZE = 224
"""Pixels of a tangram's picture."""


def write_structure(
    out: Path, files: dict[int, Path], store: EpochStore, settings: EmbedImages, device: torch.device
) -> Kind:
    """Make and write the structure maps; returns their kind."""
    maps, kind, source = structure_maps(len(store.images), files, settings, device)
    write_maps(out, maps, StructureDescription(kind, source, settings.structure_size, store.description.fingerprint))
    return kind


@stage("embed_images")
def main(run: Stage) -> None:
    keep_freed_memory()
    settings = run.settings(EmbedImages)
    device = device_of(run.settings(Accelerator, "hardware.accelerator"))
    root, store, out = run.input("corpus"), EpochStore(run.input("store")), run.output("features")
    files = store.images["file"].where(store.images["sha256"].notna()).tolist()
    present = [k for k, file in enumerate(files) if isinstance(file, str)]
    if not present:
        # EEGCVPR40's images are ImageNet's: its EEG can be classified without them.
        print(f"WARNING: {root}: none of its {len(files)} images is there: there are no features to align EEG with")
        nothing = FeaturesDescription(settings.model, "none", 0, store.description.fingerprint)
        write_features(out, np.empty((len(files), 0), np.float32), nothing)
        write_structure(out, {}, store, settings, device)
        return
    compute, source = load_network(settings.model, settings.source, device)
    rows: dict[int, np.ndarray] = {}
    for k in tqdm(range(0, len(present), settings.batch_size), desc=f"{settings.model} features", unit="batch"):
        batch = present[k : k + settings.batch_size]
        rows |= dict(zip(batch, compute([open_picture(Path(files[row]), SIZE) for row in batch]), strict=True))
    width = len(rows[present[0]])
    features = np.full((len(files), width), np.nan, np.float32)
    for row, vector in rows.items():
        features[row] = vector
    write_features(out, features, FeaturesDescription(settings.model, source, width, store.description.fingerprint))
    kind = write_structure(out, {row: Path(files[row]) for row in present}, store, settings, device)
    made = f"{width} features of {settings.model}, structure: {kind}"
    print(f"{store.description.corpus}: {len(present)} of {len(files)} images, {made}")


if __name__ == "__main__":
    main()
