"""Train a baseline on the LFT's windows and splits: ``python -m components.train_baselines --baseline sparcnet``."""

from components.train_baselines.settings import TrainBaselines
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.settings import Hardware, stopping_after


@stage("train_baselines")
def main(run: Stage) -> None:
    """Train and test a baseline over all seeds, log its figures and publish the models."""
    settings, hardware = run.settings(TrainBaselines), run.settings(Hardware, "hardware")
    optimisation = stopping_after(
        settings.optimisation,
        max_epochs=run.settings(int, "finetune_lft.optimisation.max_epochs"),
        min_epochs=run.settings(int, "finetune_lft.optimisation.min_epochs"),
        patience=run.settings(int, "finetune_lft.optimisation.patience"),
    )
    seeds, name = run.settings(list[int], "matrix.seeds"), run.item["baseline"]
    with loading_modules():
        import mlflow

        from components.train_baselines.compute import compute
        from eegdiffusion.core.observe.tracking import log_model
        from eegdiffusion.core.observe.tracking.datasets import Data
        from eegdiffusion.core.observe.tracking.tracked_run import tracked
        from eegdiffusion.events.serving import baseline_pyfunc
        from eegdiffusion.events.store.window_store import Store
    path, out, reference = run.input("store"), run.output("baseline"), run.output("reference")
    store = Store(path)
    data = [Data(f"{store.corpus} event windows", path, context) for context in ("training", "testing")]
    with tracked(run, optimisation, hardware, title="baseline", corpus=store.corpus, data=data) as logger:
        tested = compute(store, name, optimisation, seeds, hardware, out, run.work)
        if tested is None:
            return
        logger.drain()
        mlflow.log_artifacts(out)
        metrics = {seed: {f"test_{key}": value for key, value in each.items()} for seed, each in tested.metrics.items()}
        for seed in metrics.keys() - {tested.seed}:
            mlflow.log_metrics(metrics[seed], step=seed)
        model = log_model.log(
            baseline_pyfunc, f"baseline-{name}".replace("_", "-"), tested.folder, metrics[tested.seed], tested.seed
        )
        for warning in store.warnings:
            say(f"WARNING: {warning}")
        log_model.write_reference(reference, tested.folder, logger.run_id, model)


if __name__ == "__main__":
    main()
