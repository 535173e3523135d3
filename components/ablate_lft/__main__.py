"""Train and test the LFT as one row of an ablation: ``python -m components.ablate_lft --row fusion_mean``."""

from dataclasses import asdict, replace

import mlflow

from components.ablate_lft.settings import Row
from components.finetune_lft.settings import FinetuneLFT
from eegdiffusion.core.observe.tracking.datasets import Data
from eegdiffusion.core.observe.tracking.tracked_run import tracked
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.classification import probabilities
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.events.models.latent_settings import Latents, check_corpus
from eegdiffusion.events.results import predictions_io
from eegdiffusion.events.store.latent_cache import LatentCache, make_recipe
from eegdiffusion.events.store.window_store import Store
from eegdiffusion.events.training.finetuning import Architecture, train_lft


@stage("ablate_lft")
def main(run: Stage) -> None:
    key = run.item["row"]
    row = run.settings(Row, f"ablations.{key}")
    settings, hardware = run.settings(FinetuneLFT, "finetune_lft"), run.settings(Hardware, "hardware")
    seeds = run.settings(list[int], "matrix.seeds")
    latents = tested = run.settings(Latents, f"latents.{row.latents}")
    if row.test_latents != row.latents:
        tested = run.settings(Latents, f"latents.{row.test_latents}")
    check_corpus(row.latents, latents, settings.corpus)
    check_corpus(row.test_latents, tested, settings.corpus)
    model = validate(asdict(settings.model) | row.model, Architecture, f"params.yaml: ablations.{key}.model")
    settings = replace(settings, latents=row.latents, model=model)
    cache, test_cache, store = run.input("cache"), run.input("test_cache"), Store(run.input("store"))
    out = run.output("row")

    recipe = make_recipe(asdict(latents), cache / "backbone", store.fingerprint)
    train, validation = (LatentCache(cache, split, recipe) for split in ("train", "validation"))
    recipe = make_recipe(asdict(tested), test_cache / "backbone", store.fingerprint)
    test = LatentCache(test_cache, "test", recipe)
    windows = store.event_windows("test").table
    data = [Data(f"{store.corpus} latent tokens", *use) for use in ((cache, "training"), (test_cache, "testing"))]
    with tracked(run, settings, latents, hardware, corpus=store.corpus, data=data) as logger:
        if run.is_rank_zero:
            mlflow.set_tags({"ablation.family": row.family, "ablation.row": row.name})
        for seed in seeds:
            trained = train_lft(
                train, validation, settings, len(store.classes), seed, hardware, run.work / f"fit-{seed}"
            )
            if not run.is_rank_zero:
                continue
            # Under the reference's convention of rates the last pool is missing.
            predicted = probabilities(
                trained.lft,
                test,
                "tokens",
                settings.optimisation.batch_size,
                device_of(hardware.accelerator),
                missing_pools=tested.rate_convention == "reference",
            ).numpy()
            facts = trained.facts | {"row": key, "corpus": store.corpus}
            metrics = predictions_io.write(
                out / f"seed-{seed}", windows, test.labels, predicted, trained.fitted.curves, facts
            )
            logger.log_metrics({f"test_{name}": value for name, value in metrics.items()}, step=seed)


if __name__ == "__main__":
    main()
