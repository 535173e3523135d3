"""Train the LFT on cached latents: ``python -m components.finetune_lft --labels recorded --seed 0``."""

import shutil
from dataclasses import asdict

import mlflow
import numpy as np
from sklearn.metrics import confusion_matrix

from components.data.latent_cache import LatentCache, make_recipe
from components.data.store import Store
from components.errors import InputError
from components.evaluation import figures, records
from components.finetune_lft.settings import FinetuneLFT
from components.models.latent_settings import Latents
from components.serving import lft as serving
from components.serving import windows
from components.stage import Stage, stage
from components.tracking import models
from components.tracking.datasets import Data
from components.tracking.run import tracked
from components.training.classification import probabilities
from components.training.device import device_of
from components.training.lft import train_lft
from components.training.settings import Hardware


def _labels(recorded: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """Return the labels to train on: as recorded, or permuted among the windows."""
    if kind not in ("recorded", "shuffled"):
        raise InputError(f"--labels: must be recorded or shuffled (found {kind!r})")
    return recorded if kind == "recorded" else np.random.default_rng(seed).permutation(recorded)


@stage("finetune_lft")
def main(run: Stage) -> None:
    settings = run.settings(FinetuneLFT)
    hardware = run.settings(Hardware, "hardware")
    kind, seed = run.item["labels"], run.item["seed"]
    latents = run.settings(Latents, f"latents.{settings.latents}")
    cache_path, store = run.input("cache"), Store(run.input("store"))
    out, reference = run.output("lft"), run.output("reference")
    recipe = make_recipe(asdict(latents), cache_path / "backbone", store.fingerprint)
    caches = {split: LatentCache(cache_path, split, recipe) for split in ("train", "validation", "test")}
    for split in ("train", "validation"):
        caches[split] = caches[split].relabelled(_labels(caches[split].labels, kind, seed))

    data = [
        Data(f"{store.corpus} latent tokens", cache_path, context) for context in ("training", "validation", "testing")
    ]
    with tracked(run, settings, latents, hardware, corpus=store.corpus, data=data) as logger:
        trained = train_lft(
            caches["train"],
            caches["validation"],
            settings,
            len(store.classes),
            seed,
            hardware,
            run.work / "fit",
            logger,
        )
        if not run.leader:
            return
        lft, facts = trained.lft, trained.facts | {"labels": kind} | store.facts("test")
        batch_size, device = settings.optimisation.batch_size, device_of(hardware.accelerator)
        predicted = probabilities(lft, caches["test"], "tokens", batch_size, device).numpy()
        table = store.event_windows("test").table
        metrics = records.write(out, table, caches["test"].labels, predicted, trained.fitted.curves, facts)
        lft.cpu().save_pretrained(out / "lft")
        shutil.copy(cache_path / "cache.json", out / "latents.json")
        shutil.copytree(cache_path / "backbone", out / "backbone")
        windows.write(out, store.event_windows("test").__getitems__([0, 1])["signal"], store.preprocessing)
        logger.log_metrics({f"test_{name}": value for name, value in metrics.items()})
        logger.drain()
        mlflow.log_artifacts(out)
        counts = confusion_matrix(caches["test"].labels, predicted.argmax(1), labels=range(len(store.classes)))
        title = f"LFT, {kind} labels, seed {seed} ({store.corpus} data)"
        mlflow.log_figure(figures.confusion(counts, store.classes, title), "confusion.png")
        model = models.log(serving, "lft", out, metrics) if kind == "recorded" else None
        models.write_reference(reference, out, logger.run_id, model)


if __name__ == "__main__":
    main()
