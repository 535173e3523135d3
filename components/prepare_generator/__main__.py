"""Take an image generator, or train a small one: ``python -m components.prepare_generator --study NAME``.

The latent of each image of the corpus is computed here, once; what is trained upon the generator reads it.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas
import torch
from tqdm import tqdm

from components.data.classes import classes_of
from components.data.epoch_store import EpochStore
from components.data.image_features import ImageFeatures
from components.data.image_latents import Encoding, write_latents
from components.data.pictures import fitted_picture, open_picture, picture_files
from components.errors import InputError
from components.evaluation.figures import learning_curves
from components.evaluation.picture_grid import picture_grid
from components.hashing import content_hash
from components.models.generator import Generator, Source, open_generator, weights_digest
from components.models.image_networks import NetworkName, load_network
from components.models.image_sampling import sample, seeds_for
from components.prepare_generator.settings import PrepareGenerator
from components.stage import Stage, stage
from components.tracking import models
from components.tracking.datasets import Data
from components.tracking.run import tracked
from components.training.device import device_of
from components.training.generator import make_generator, train_generator
from components.training.memory import keep_freed_memory
from components.training.settings import Hardware

SHOWN = 10
"""Pictures in a figure."""

BATCH = 16

EXEMPLARS = 3
"""Of a concept, so that a classifier of EEG is tested on some of them; see ``components.data.classes``."""


def image_file(images: pandas.DataFrame, row: int) -> Path:
    """File of an image of a store.

    Raises:
        InputError: it is not the file that ingestion saw.
    """
    path = Path(images["file"][row])
    if not path.is_file() or content_hash(path) != images["sha256"][row]:
        raise InputError(f"{path}: must be the image that ingest_things saw; run `dvc repro ingest_things`")
    return path


def held_out_images(images: pandas.DataFrame) -> np.ndarray:
    """Which images (images,) bool test or validate the decoding of EEG: a generator must not know them."""
    held_out = (images["split"] != "train").to_numpy()
    most = images.loc[~held_out, "concept"].value_counts().max()
    if most < EXEMPLARS:
        return held_out
    return held_out | np.isin(classes_of(images, None, seed=0).split, ("validation", "test"))


def collect(
    folder: Path,
    store: EpochStore,
    features: ImageFeatures,
    side: int,
    network: tuple[NetworkName, str | None],
    device: torch.device,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Gather what a small generator learns from: pictures of a folder and of the corpus's training, each once.

    Returns:
        (n, side, side, 3) uint8, and their features (n, width).

    Raises:
        InputError: there are none.
    """
    images = store.images
    known = images["sha256"].notna().to_numpy()
    held_out = held_out_images(images)
    seen = set(images.loc[known & held_out, "sha256"])
    rows = np.flatnonzero(known & ~held_out)
    pictures = [fitted_picture(image_file(images, row), side) for row in rows]
    found = [features.features[row] for row in rows]
    seen |= set(images["sha256"][rows])
    files = tqdm(picture_files(folder), desc="more pictures", unit="picture")
    more = [path for path in files if content_hash(path) not in seen]
    compute, _ = load_network(*network, device)
    for k in tqdm(range(0, len(more), BATCH), desc=f"{network[0]} features", unit="batch"):
        part = [open_picture(path, side) for path in more[k : k + BATCH]]
        found.extend(compute(part))
        pictures += [fitted_picture(path, side) for path in more[k : k + BATCH]]
    if not pictures:
        raise InputError(f"{folder}: must hold pictures to train a small generator on (found none, nor in the corpus)")
    return np.stack(pictures), np.stack(found)


def latent_parts(
    generator: Generator, images: pandas.DataFrame, known: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Encode the images of a store, a few at a time."""
    rows = np.flatnonzero(known)
    for k in tqdm(range(0, len(rows), BATCH), desc="latents", unit="batch"):
        part = rows[k : k + BATCH]
        pictures = np.stack([fitted_picture(image_file(images, row), generator.source.image_size) for row in part])
        yield part, pictures, generator.encode(pictures).numpy()


def draw(generator: Generator, pictures: np.ndarray, features: np.ndarray, seed: int, corpus: str) -> dict:
    """Figures of what the generator makes of pictures' own latents, and of their features alone."""
    device = generator.unet.device
    drawn = {"seen": pictures, "decoded latent": generator.decode(generator.encode(pictures))}
    given = torch.from_numpy(features).to(device)

    def denoise(noisy: torch.Tensor, steps: torch.Tensor, items: slice, without: bool) -> torch.Tensor:
        part = given[items]
        condition = generator.condition(part, torch.full((len(part),), without, device=device))
        return generator.unet(noisy, steps, **condition).sample

    for guidance in (1.0, 2.0):
        latents = sample(
            denoise, generator.scheduler, generator.latent_shape, seeds_for(len(pictures), 1, seed), device,
            guidance=guidance,
        )  # fmt: skip
        drawn[f"from features, w = {guidance:g}"] = generator.decode(latents)
    return {"generator": picture_grid(drawn, f"Generator, pictures it was not trained on ({corpus} data)")}


@stage("prepare_generator")
def main(run: Stage) -> None:
    keep_freed_memory()
    settings = run.settings(PrepareGenerator)
    network = run.settings(NetworkName, "embed_images.model"), run.settings(str | None, "embed_images.source")
    hardware = run.settings(Hardware, "hardware")
    device = device_of(hardware.accelerator)
    folder, out, latents_path = run.input("pictures"), run.output("generator"), run.output("latents")
    store_path, features_path, reference = run.input("store"), run.input("features"), run.output("reference")
    store = EpochStore(store_path)
    features, corpus = ImageFeatures(features_path, store.description.fingerprint), store.description.corpus
    known = store.images["sha256"].notna().to_numpy()
    if not known.any():
        raise InputError(f"{store_path}: has no images; what conditions a generator needs them")
    data = [Data(f"{corpus} images", store_path, "training"), Data("pictures of the generator", folder, "training")]
    with tracked(run, settings, hardware, corpus=corpus, data=data) as _:
        facts: dict = {"corpus": corpus, "surrogate": settings.pipeline is None, "image_size": settings.image_size}
        if settings.pipeline is None:
            generator = make_generator(settings, features.embedding.width)
            pictures, found = collect(folder, store, features, settings.image_size, network, device)
            held_out = np.random.default_rng(settings.seed).random(len(pictures)) < settings.validation_fraction
            fits = train_generator(generator, pictures, found, held_out, settings, hardware, run.work, device)
            facts |= {"pictures": int((~held_out).sum()), "held_out": int(held_out.sum())}
            curves = dict(zip(("autoencoder", "network"), fits, strict=True))
            facts |= {f"{name}_validation_loss": done.best_score for name, done in curves.items()}
        else:
            source = Source(settings.pipeline, settings.download, settings.ip_adapter, settings.image_size, False)
            generator, curves = open_generator(source, n_features=features.embedding.width).to(device), {}
        if not run.leader:
            return
        facts["parameters"] = {type(m).__name__: sum(p.numel() for p in m.parameters()) for m in generator.modules()}
        generator.save(out)
        encoding = Encoding(
            store.description.fingerprint, weights_digest(generator.vae), settings.image_size, generator.latent_shape
        )
        write_latents(latents_path, encoding, known, latent_parts(generator, store.images, known))
        held = np.flatnonzero(known & (store.images["split"] != "train").to_numpy())[-SHOWN:]
        pictures = np.stack([fitted_picture(image_file(store.images, row), settings.image_size) for row in held])
        figures = draw(generator, pictures, features.features[held], settings.seed, corpus)
        (out / "figures").mkdir()
        if curves:
            tables = {name: [pandas.DataFrame(done.curves)] for name, done in curves.items()}
            panels = {"train_loss": "training loss", "validation_loss": "validation loss"}
            figures["curves"] = learning_curves(tables, panels, f"Small generator ({corpus} data)")
        for name, figure in figures.items():
            figure.savefig(out / "figures" / f"{name}.png", dpi=110)
        (out / "metrics.json").write_text(json.dumps(facts, indent=2))
        mlflow.log_metrics({name: value for name, value in facts.items() if name.endswith("_loss")})
        mlflow.log_artifacts(out / "figures", "figures")
        models.write_reference(reference, out, mlflow.active_run().info.run_id, None)


if __name__ == "__main__":
    main()
