"""Train the LFT for a further task: ``python -m components.finetune_tasks --task blink``."""

from components.finetune_tasks.settings import EventTask, LFTTraining
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.core.training.settings import Hardware, Optimiser, stopping_after
from eegdiffusion.events.models.latent_settings import Latents, check_corpus


@stage("finetune_tasks")
def main(run: Stage) -> None:
    """Train and test the task's LFTs over all seeds, log their figures and publish the best one."""
    key = run.item["task"]
    task = run.settings(EventTask, f"event_tasks.{key}")
    default, hardware = run.settings(LFTTraining, "finetune_lft"), run.settings(Hardware, "hardware")
    seeds, optimiser = run.settings(list[int], "matrix.seeds"), run.settings(Optimiser, "train_baselines.optimisation")
    latents = run.settings(Latents, f"latents.{task.latents}")
    check_corpus(task.latents, latents, task.corpus, f"event_tasks.{key}")
    with loading_modules():
        import mlflow

        from components.finetune_tasks.compute import compute
        from eegdiffusion.core.observe.tracking import log_model
        from eegdiffusion.core.observe.tracking.datasets import Data
        from eegdiffusion.core.observe.tracking.tracked_run import tracked
        from eegdiffusion.core.statistics.classification_metrics import confusion_matrix
        from eegdiffusion.events.figures import eeg_figures
        from eegdiffusion.events.serving import lft_pyfunc
        from eegdiffusion.events.store.window_store import Store
        from eegdiffusion.events.training.event_task import task_training
    settings = task_training(key, task, default)
    rule = settings.optimisation
    baselines = stopping_after(
        optimiser, max_epochs=rule.max_epochs, min_epochs=rule.min_epochs, patience=rule.patience
    )
    cache, store = run.input("cache"), Store(run.input("store"))
    subjects = read_parquet(run.input("index") / "recordings.parquet").set_index("recording")["subject"]
    out, reference = run.output("task"), run.output("reference")
    data = [Data(f"{store.corpus} latent tokens", cache, context) for context in ("training", "validation", "testing")]
    with tracked(run, task, settings, latents, hardware, title="LFT", corpus=store.corpus, data=data) as logger:
        subject_of = subjects.to_dict()
        tested = compute(
            store, subject_of, cache, latents, key, task, settings, baselines, seeds, hardware, out, run.work
        )
        if tested is None:
            return
        logger.drain()
        mlflow.log_artifacts(out)
        if task.head != "multi_label":  # there a window may be of several classes
            confusion = confusion_matrix(tested.labels, tested.probabilities.argmax(1), len(tested.classes))
            title = f"LFT, task {key}, seed {tested.seed} ({store.corpus} data)"
            mlflow.log_figure(eeg_figures.confusion(confusion, tested.classes, title), "confusion.png")
        metrics = {
            seed: {f"test_{name}": value for name, value in each.items()} for seed, each in tested.metrics.items()
        }
        for seed in metrics.keys() - {tested.seed}:
            mlflow.log_metrics(metrics[seed], step=seed)
        model = log_model.log(lft_pyfunc, f"lft-{key}", tested.folder, metrics[tested.seed], tested.seed)
        for warning in store.warnings:
            say(f"WARNING: {warning}")
        log_model.write_reference(reference, tested.folder, logger.run_id, model)


if __name__ == "__main__":
    main()
