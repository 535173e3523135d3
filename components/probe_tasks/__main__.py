"""Probe a frozen backbone on another corpus: ``python -m components.probe_tasks --task blink``."""

from components.probe_tasks.settings import ProbedTask
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.core.training.settings import Accelerator


@stage("probe_tasks")
def main(run: Stage) -> None:
    """Probe the windows of a task, and track the run."""
    name = run.item["task"]
    settings = run.settings(ProbedTask, f"probe_tasks.{name}")
    accelerator = run.settings(Accelerator, "hardware.accelerator")
    with loading_modules():
        import mlflow

        from components.probe_tasks.compute import compute
        from eegdiffusion.core.observe.tracking.datasets import Data
        from eegdiffusion.core.observe.tracking.tracked_run import tracked
        from eegdiffusion.core.training.device import device_of
        from eegdiffusion.events.store.window_store import Store
    store, out = Store(run.input("store")), run.output("task")
    recordings = read_parquet(run.input("index") / "recordings.parquet")
    subjects = recordings.set_index("recording")["subject"].to_dict()
    data = [Data(f"{store.corpus} windows", store.path, use) for use in ("training", "testing")]
    with tracked(run, settings, title="probes of a task", corpus=store.corpus, data=data) as logger:
        table = compute(store, subjects, run.input("backbone"), settings, device_of(accelerator), out)
        if logger:
            scores = table.set_index("features")["balanced_accuracy"]
            logger.log_metrics({f"{features.replace(' ', '_')}_test": value for features, value in scores.items()})
            mlflow.log_artifacts(out)
    say(*table.to_string(index=False).split("\n"))


if __name__ == "__main__":
    main()
