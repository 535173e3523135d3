"""Takes an image generator or trains a small one, and encodes the images of a corpus to its latents, once."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas

from components.prepare_generator.settings import PrepareGenerator
from eegdiffusion.core.storage.spreadsheet import write_table
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.fit import Fitted
from eegdiffusion.core.training.memory import keep_freed_memory
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.features.image_features import ImageFeatures, NetworkName
from eegdiffusion.images.generation.generator import Generator, Source, open_generator, weights_digest
from eegdiffusion.images.generation.generator_images import generator_training_images, image_pixels, latent_parts
from eegdiffusion.images.generation.generator_previews import PREVIEWED, generator_previews
from eegdiffusion.images.generation.generator_training import make_generator, train_generator
from eegdiffusion.images.generation.image_latents import Encoding, write_latents
from eegdiffusion.images.generation.previews import write_previews


@dataclass(frozen=True)
class PreparedGenerator:
    """A prepared generator.

    Attributes:
        facts: what ``metrics.json`` says.
        losses: validation losses of the trainings, by name.
    """

    facts: dict
    losses: dict[str, float]


def compute(
    store: EpochStore, known: np.ndarray, features: ImageFeatures, folder: Path, settings: PrepareGenerator,
    network: tuple[NetworkName, str | None, bool], hardware: Hardware, out: Path, latents_path: Path, work: Path,
    leader: bool,
) -> PreparedGenerator | None:  # fmt: skip
    """Take or train a generator; write it, its previews, and the latents of the store's images.

    Args:
        store: epoch store whose images are encoded.
        known: (images,) bool, which of them have a file; see ``images_with_files``.
        features: frozen features of these images.
        folder: folder of further images that a small generator learns from.
        settings: settings of the stage.
        network: name and source of the network that made the features, and whether the hub may be asked for it.
        hardware: devices to train on.
        out: folder to make for generator, previews, curves and ``metrics.json``.
        latents_path: folder to make for images and latents.
        work: folder for checkpoints.
        leader: whether this process writes; the others of a distributed training return None.

    Raises:
        InputError: the generator cannot be opened, or there are no images to train it on.
    """
    keep_freed_memory()
    device, corpus = device_of(hardware.accelerator), store.description.corpus
    facts: dict = {"corpus": corpus, "surrogate": settings.pipeline is None, "image_size": settings.image_size}
    fits: dict[str, Fitted] = {}
    if settings.pipeline is None:
        generator = make_generator(settings, features.description.width)
        images, image_features = generator_training_images(
            folder, store.images, features, settings.image_size, network, device
        )
        held_out = np.random.default_rng(settings.seed).random(len(images)) < settings.validation_fraction
        fitted = train_generator(generator, images, image_features, held_out, settings, hardware, work, device)
        fits = {"autoencoder": fitted.autoencoder, "network": fitted.network}
        facts |= {"pictures": int((~held_out).sum()), "held_out": int(held_out.sum())}
    else:
        source = Source(settings.pipeline, settings.download, settings.ip_adapter, settings.image_size, False)
        generator = open_generator(source, n_features=features.description.width).to(device)
    if not leader:
        return None
    losses = {f"{name}_validation_loss": fitted.best_score for name, fitted in fits.items()}
    facts |= losses
    facts["parameters"] = {type(m).__name__: sum(p.numel() for p in m.parameters()) for m in generator.modules()}
    generator.save(out)
    encode_images(generator, store, known, latents_path)
    # Images that the generator was not trained on: the last that are not of the corpus's training.
    rows = np.flatnonzero(known & (store.images["split"] != "train").to_numpy())[-PREVIEWED:]
    images = image_pixels(store.images, rows, settings.image_size)
    write_previews(out, **generator_previews(generator, images, features.features[rows], settings.seed))
    for name, fitted in fits.items():
        write_table(out / f"{name}_curves.csv", pandas.DataFrame(fitted.curves))
    (out / "metrics.json").write_text(json.dumps(facts, indent=2))
    return PreparedGenerator(facts, losses)


def encode_images(generator: Generator, store: EpochStore, known: np.ndarray, path: Path) -> None:
    """Encode the images of a store and write their latents.

    Args:
        generator: generator whose autoencoder encodes.
        store: epoch store of the corpus.
        known: (images,) bool, which images have a file.
        path: folder to make.
    """
    encoding = Encoding(
        store.description.fingerprint,
        weights_digest(generator.vae),
        generator.source.image_size,
        generator.latent_shape,
    )
    write_latents(path, encoding, known, latent_parts(generator, store.images, known))
