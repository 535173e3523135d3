"""Train the LFT on cached latents: ``python -m components.finetune_lft --labels recorded --seed 0``."""

from components.finetune_lft.settings import FinetuneLFT
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.events.models.latent_settings import Latents


@stage("finetune_lft")
def main(run: Stage) -> None:
    """Train and test a classifier, log its figures and publish the model."""
    settings, hardware = run.settings(FinetuneLFT), run.settings(Hardware, "hardware")
    latents = run.settings(Latents, f"latents.{settings.latents}")
    with loading_modules():
        import mlflow

        from components.finetune_lft.compute import compute
        from eegdiffusion.core.observe.tracking import log_model
        from eegdiffusion.core.observe.tracking.datasets import Data
        from eegdiffusion.core.observe.tracking.tracked_run import tracked
        from eegdiffusion.events.figures import eeg_figures
        from eegdiffusion.events.serving import lft_pyfunc
        from eegdiffusion.events.store.window_store import Store
    kind, seed = run.item["labels"], run.item["seed"]
    cache, store = run.input("cache"), Store(run.input("store"))
    out, reference = run.output("lft"), run.output("reference")
    data = [Data(f"{store.corpus} latent tokens", cache, context) for context in ("training", "validation", "testing")]
    with tracked(run, settings, latents, hardware, title="LFT", corpus=store.corpus, data=data) as logger:
        tested = compute(store, cache, settings, latents, kind, seed, hardware, out, run.work, logger)
        if tested is None:
            return
        logger.drain()
        mlflow.log_artifacts(out)
        title = f"LFT, {kind} labels, seed {seed} ({store.corpus} data)"
        mlflow.log_figure(eeg_figures.confusion(tested.confusion, store.classes, title), "confusion.png")
        metrics, model = {f"test_{name}": value for name, value in tested.metrics.items()}, None
        metrics |= tested.subsets.metrics("test") if tested.subsets else {}
        if kind == "recorded":
            model = log_model.log(lft_pyfunc, "lft", out, metrics)
        else:
            mlflow.log_metrics(metrics)
        for warning in store.warnings:
            say(f"WARNING: {warning}")
        log_model.write_reference(reference, out, logger.run_id, model)


if __name__ == "__main__":
    main()
