"""Take an image generator, or train a small one: ``python -m components.prepare_generator --study NAME``.

The latent of each image of the corpus is computed here, once; what is trained upon the generator reads it.
"""

import json

import mlflow
import numpy as np

from components.prepare_generator.settings import PrepareGenerator
from eegdiffusion.core.observe.figures.style import save_figures
from eegdiffusion.core.observe.tracking import log_model
from eegdiffusion.core.observe.tracking.datasets import Data
from eegdiffusion.core.observe.tracking.tracked_run import tracked
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.memory import keep_freed_memory
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.features.image_features import ImageFeatures
from eegdiffusion.images.features.image_networks import NetworkName
from eegdiffusion.images.figures import generator_figures
from eegdiffusion.images.generation.generator import Source, open_generator, weights_digest
from eegdiffusion.images.generation.generator_images import image_pixels, latent_parts, learned_pictures
from eegdiffusion.images.generation.generator_training import make_generator, train_generator
from eegdiffusion.images.generation.image_latents import Encoding, write_latents

SHOWN = 10
"""Pictures in a figure."""


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
            generator = make_generator(settings, features.description.width)
            learned, found = learned_pictures(folder, store.images, features, settings.image_size, network, device)
            held_out = np.random.default_rng(settings.seed).random(len(learned)) < settings.validation_fraction
            fits = train_generator(generator, learned, found, held_out, settings, hardware, run.work, device)
            facts |= {"pictures": int((~held_out).sum()), "held_out": int(held_out.sum())}
            curves = dict(zip(("autoencoder", "network"), fits, strict=True))
            facts |= {f"{name}_validation_loss": done.best_score for name, done in curves.items()}
        else:
            source = Source(settings.pipeline, settings.download, settings.ip_adapter, settings.image_size, False)
            generator, curves = open_generator(source, n_features=features.description.width).to(device), {}
        if not run.is_rank_zero:
            return
        facts["parameters"] = {type(m).__name__: sum(p.numel() for p in m.parameters()) for m in generator.modules()}
        generator.save(out)
        encoding = Encoding(
            store.description.fingerprint, weights_digest(generator.vae), settings.image_size, generator.latent_shape
        )
        write_latents(latents_path, encoding, known, latent_parts(generator, store.images, known))
        held = np.flatnonzero(known & (store.images["split"] != "train").to_numpy())[-SHOWN:]
        seen = image_pixels(store.images, held, settings.image_size)
        save_figures(
            generator_figures.draw(generator, seen, features.features[held], settings.seed, curves, corpus), out
        )
        (out / "metrics.json").write_text(json.dumps(facts, indent=2))
        mlflow.log_metrics({name: value for name, value in facts.items() if name.endswith("_loss")})
        mlflow.log_artifacts(out / "figures", "figures")
        log_model.write_reference(reference, out, mlflow.active_run().info.run_id, None)


if __name__ == "__main__":
    main()
