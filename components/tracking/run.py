"""A stage's run in MLflow: opened, or taken up again after an interruption."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import mlflow
from lightning.pytorch.loggers import MLFlowLogger

from components.stage import Stage
from components.tracking import lineage, server
from components.tracking.datasets import Data, dataset


def flat(settings: dict, prefix: str = "") -> dict[str, object]:
    """Flatten nested settings into dotted names."""
    found = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def _resumable(reference: Path) -> str | None:
    """Return the run that an interrupted process of the same fingerprint left, if the server knows it."""
    if not reference.exists():
        return None
    run_id = json.loads(reference.read_text())["run_id"]
    try:
        mlflow.get_run(run_id)
    except mlflow.MlflowException:
        return None
    return run_id


@contextmanager
def tracked(stage: Stage, *settings: object, corpus: str, data: list[Data] = ()) -> Iterator[MLFlowLogger | None]:
    """Track a stage: experiment named like it, parameters, tags, datasets, system metrics.

    Yields:
        a Lightning logger bound to the run; inside the block the run is MLflow's active one. ``None`` in the followers
        of a distributed run.
    """
    if not stage.leader:
        yield None
        return
    server.experiment(stage.name)
    mlflow.set_system_metrics_sampling_interval(2)
    mlflow.set_system_metrics_samples_before_logging(1)
    reference = stage.work / "mlflow_run.json"
    resumed = _resumable(reference)
    label = "-".join(str(value) for value in stage.item.values()) or stage.name
    with mlflow.start_run(run_id=resumed, run_name=None if resumed else label, log_system_metrics=True) as run:
        reference.write_text(json.dumps({"run_id": run.info.run_id}))
        mlflow.set_tags(lineage.tags(stage.name) | {"corpus": corpus, "resumed": str(resumed is not None)})
        if not resumed:
            parameters = dict(stage.item)
            for section in settings:
                parameters |= flat(asdict(section), f"{type(section).__name__}.")
            mlflow.log_params(parameters)
            for item in data:
                mlflow.log_input(dataset(item), context=item.context)
        yield MLFlowLogger(experiment_name=stage.name, run_id=run.info.run_id, tracking_uri=mlflow.get_tracking_uri())
