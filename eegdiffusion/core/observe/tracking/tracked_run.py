"""A stage's run in MLflow: opened, or taken up again after an interruption."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_MAX_RETRIES
from mlflow.exceptions import MlflowException

from eegdiffusion.core.observe.tracking import lineage, server
from eegdiffusion.core.observe.tracking.datasets import Data, dataset
from eegdiffusion.core.observe.tracking.journal import NAME, Journal, deletion
from eegdiffusion.core.observe.tracking.run_logger import RunLogger
from eegdiffusion.core.observe.tracking.system_metrics import SystemMetrics
from eegdiffusion.core.runtime.markdown import markdown_text
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.resource_use import resource_use
from eegdiffusion.core.runtime.stage import Stage

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def flat(settings: dict, prefix: str = "") -> dict[str, object]:
    """Flatten nested settings into dotted names."""
    flattened: dict[str, object] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flattened |= flat(value, f"{prefix}{name}.")
        else:
            flattened[f"{prefix}{name}"] = value
    return flattened


def run_name(title: str, item: Mapping[str, object], corpus: str) -> str:
    """Name a run in words, e.g. ``LFT, labels recorded, seed 0, on surrogate``, or ``baseline sparcnet, on TUEV``."""
    words = [f"{name} {value}" for name, value in item.items()]
    return ", ".join([*([] if title in item else [title]), *words, f"on {corpus}"])


def run_description(name: str, stage: str, corpus: str) -> str:
    """Describe a run: its name, what its stage does, and that its corpus is a surrogate where it is one."""
    surrogate = " **Surrogate data**: its numbers say that the pipeline works, and nothing else."
    return f"{markdown_text(name)}. {stage.rstrip('.')}.{surrogate if corpus.startswith('surrogate') else ''}"


def _resumable(reference: Path, experiment: str) -> str | None:
    """Return the run that an interrupted process of the same fingerprint left, if it is still one of the experiment."""
    try:
        run_id = json.loads(reference.read_text())["run_id"]
    except (FileNotFoundError, ValueError):  # a process was killed before it had written it
        return None
    if not server.is_active(run_id):
        say(f"MLflow: the run {run_id} was deleted; training goes on in a new one", stream=sys.stderr)
        return None
    home, active = mlflow.get_run(run_id).info.experiment_id, mlflow.get_experiment_by_name(experiment)
    # An experiment may have been given another name in the meantime.
    return run_id if active and active.experiment_id == home else None


def _end(status: str) -> None:
    """End the active run; one that cannot be told to the server stays as it is there until it is resumed."""
    if status == "FINISHED":
        mlflow.end_run(status)
        return
    if not server.answers():
        MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(0)  # the process is ending, and has waited
    with suppress(Exception):  # would hide the error that is on its way
        mlflow.end_run(status)


@contextmanager
def tracked(
    stage: Stage, *settings: "DataclassInstance", title: str | None = None, corpus: str, data: Sequence[Data] = ()
) -> Iterator[RunLogger | None]:
    """Track a stage: experiment named like it, parameters, tags, datasets, system metrics.

    Args:
        stage: the run of the stage.
        *settings: its settings, which become the run's parameters.
        title: what is made, in words, with which the run's name begins; None: the name of the stage.
        corpus: corpus that it is made from.
        data: datasets that are used.

    At the end the run says what the process used, as tags ``used.cpu_seconds`` and so on.

    The server must answer before the block and, for as long as ``RunLogger.drain`` waits, at its end; in between it
    may be away. Inside the block the run is MLflow's active one.

    Yields:
        the logger of the run's metrics; ``None`` in followers of a distributed run.

    Raises:
        InputError: the experiment was deleted, the server refuses this user, or git this repository.
        UnavailableError: the server is away too long; the same command started again goes on with the same run, or in
            a new one where that was deleted.
    """
    if not stage.is_rank_zero:
        yield None
        return
    origin = lineage.tags(stage.name)  # first, as git may have something to say
    server.experiment(stage.name, stage.description)
    reference = stage.work / server.REFERENCE
    resumed = _resumable(reference, stage.name)
    name = run_name(title or stage.name, stage.item, corpus)
    run = mlflow.start_run(run_id=resumed, run_name=None if resumed else name, log_system_metrics=False)
    status = "FAILED"
    try:
        reference.write_text(json.dumps({"run_id": run.info.run_id}))
        mlflow.set_tags(origin | {"corpus": corpus, "resumed": str(resumed is not None)})
        if not resumed:
            mlflow.set_tag(server.NOTE, run_description(name, stage.description, corpus))
            parameters = dict(stage.item)
            for section in settings:
                parameters |= flat(asdict(section), f"{type(section).__name__}.")
            mlflow.log_params(parameters)
            for item in data:
                mlflow.log_input(dataset(item), context=item.context)
        # A new run that goes on from checkpoints gets the metrics from before them too.
        with Journal(stage.work / NAME, run.info.run_id, resend=not resumed) as journal:
            with SystemMetrics(journal, run.info.start_time):
                yield RunLogger(journal)
            journal.drain()
        mlflow.set_tags({f"used.{name}": value for name, value in asdict(resource_use()).items() if value is not None})
        status = "FINISHED"
    except MlflowException as error:
        # Whoever asks the server first notices that the run was deleted.
        if gone := deletion(run.info.run_id, stage.work / NAME):
            raise gone from error
        with server.errors_explained():
            raise
    finally:
        _end(status)
