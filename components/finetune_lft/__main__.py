"""Train the LFT on cached latents: ``python -m components.finetune_lft --labels recorded --seed 0``."""

import shutil
from dataclasses import asdict

import mlflow
import numpy as np
from sklearn.metrics import confusion_matrix

from components.finetune_lft.settings import FinetuneLFT
from eegdiffusion.core.observe.figures import figures
from eegdiffusion.core.observe.tracking import log_model
from eegdiffusion.core.observe.tracking.datasets import Data
from eegdiffusion.core.observe.tracking.tracked_run import tracked
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.classification import probabilities
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.events.models.latent_settings import Latents, check_corpus
from eegdiffusion.events.results import predictions_io
from eegdiffusion.events.serving import lft_pyfunc as serving
from eegdiffusion.events.serving import window_input
from eegdiffusion.events.store.latent_cache import LatentCache, make_recipe
from eegdiffusion.events.store.window_store import Store
from eegdiffusion.events.training.finetuning import train_lft


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
    check_corpus(settings.latents, latents, settings.corpus)
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
        if not run.is_rank_zero:
            return
        lft, facts = trained.lft, trained.facts | {"labels": kind} | store.facts("test")
        batch_size, device = settings.optimisation.batch_size, device_of(hardware.accelerator)
        predicted = probabilities(lft, caches["test"], "tokens", batch_size, device).numpy()
        table = store.event_windows("test").table
        metrics = predictions_io.write(out, table, caches["test"].labels, predicted, trained.fitted.curves, facts)
        lft.cpu().save_pretrained(out / "lft")
        shutil.copy(cache_path / "cache.json", out / "latents.json")
        shutil.copytree(cache_path / "backbone", out / "backbone")
        window_input.write(out, store.event_windows("test").__getitems__([0, 1])["signal"], store.preprocessing)
        logger.log_metrics({f"test_{name}": value for name, value in metrics.items()})
        logger.drain()
        mlflow.log_artifacts(out)
        counts = confusion_matrix(caches["test"].labels, predicted.argmax(1), labels=range(len(store.classes)))
        title = f"LFT, {kind} labels, seed {seed} ({store.corpus} data)"
        mlflow.log_figure(figures.confusion(counts, store.classes, title), "confusion.png")
        model = log_model.log(serving, "lft", out, metrics) if kind == "recorded" else None
        log_model.write_reference(reference, out, logger.run_id, model)


if __name__ == "__main__":
    main()
