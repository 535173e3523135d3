"""The registry: which results of the stages become versions of which models, ``mlflow/registry.yaml``."""

import json
import statistics
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

import mlflow
import yaml

from components.errors import InputError
from components.hashing import content_hash
from components.settings import settings, validate
from components.tracking import lineage, models, server

REGISTRY = Path("mlflow/registry.yaml")
CHALLENGER = "challenger"


@settings
class Select:
    """How the result to register is chosen among the seeds."""

    metric: str
    mode: Literal["min", "max"]


@settings
class Gate:
    """What a challenger must reach to become champion; means over the seeds are compared."""

    metric: str
    mode: Literal["min", "max"]
    floor: float
    """The least (or, with ``min``, the largest) value that any champion may have."""
    min_gain: float
    """By how much it must be better than the champion."""


@settings
class Entry:
    """A registered model."""

    description: str
    stage: str
    serving: str
    results: str
    select: Select
    gate: Gate
    metrics: list[str]


@dataclass(frozen=True)
class Result:
    """A folder that a training stage wrote, and its ``metrics.json``."""

    folder: Path
    metrics: dict


def entries(path: Path = REGISTRY) -> dict[str, Entry]:
    """Read the registry's configuration."""
    document = yaml.safe_load(path.read_text())
    return {name: validate(entry, Entry, f"{path}: {name}") for name, entry in document.items()}


def results(entry: Entry) -> list[Result]:
    """Read the results of an entry that are there, one for each seed."""
    folders = sorted(path.parent for path in Path().glob(f"{entry.results}/metrics.json"))
    return [Result(folder, json.loads((folder / "metrics.json").read_text())) for folder in folders]


def best(entry: Entry, found: list[Result]) -> Result:
    """Choose by the validation split, never by the test split."""
    choose = min if entry.select.mode == "min" else max
    return choose(found, key=lambda result: result.metrics[entry.select.metric])


def summary(entry: Entry, found: list[Result]) -> dict[str, str]:
    """Mean, sd and number of seeds of each metric, as tags."""
    tags = {"seeds": str(len(found))}
    for metric in entry.metrics:
        values = [result.metrics[metric] for result in found]
        tags[f"{metric}.mean"] = f"{statistics.fmean(values):.4f}"
        if len(values) > 1:
            tags[f"{metric}.sd"] = f"{statistics.stdev(values):.4f}"
    return tags


def _logged(entry: Entry, name: str, result: Result) -> tuple[str, str | None]:
    """Return model URI and run of a result, logging it anew where this server has not seen it (a cached stage)."""
    for reference in Path("models/runs").rglob("mlflow.json"):
        found = json.loads(reference.read_text())
        if found["folder"] == result.folder.as_posix() and found["model_uri"]:
            try:
                mlflow.get_logged_model(found["model_id"])
            except mlflow.MlflowException:
                break
            return found["model_uri"], found["run_id"]
    server.experiment(entry.stage)
    with mlflow.start_run(run_name=f"{name} from the DVC cache") as run:
        mlflow.set_tags(lineage.tags(entry.stage) | {"corpus": result.metrics["corpus"], "from_cache": "True"})
        scores = {metric: result.metrics[metric] for metric in entry.metrics}
        mlflow.log_metrics(scores)
        return log(entry, name, result.folder, scores).model_uri, run.info.run_id


def log(entry: Entry, name: str, folder: Path, metrics: dict[str, float]) -> mlflow.models.model.ModelInfo:
    """Log the model in a folder to the active run, served as the entry says."""
    return models.log(import_module(f"components.serving.{entry.serving}"), name, folder, metrics)


def add_version(
    name: str, entry: Entry, uri: str, run_id: str, tags: dict[str, str]
) -> mlflow.entities.model_registry.ModelVersion:
    """Make a logged model a version of a registered one, which is created when missing."""
    client = mlflow.MlflowClient()
    try:
        client.get_registered_model(name)
    except mlflow.MlflowException:
        client.create_registered_model(name, description=entry.description)
    description = f"{entry.description}; trained on {tags['corpus']} data"
    return client.create_model_version(name, uri, run_id, tags, description=description)


def register(name: str, entry: Entry) -> mlflow.entities.model_registry.ModelVersion:
    """Register the best result of a model as its new version and challenger; the same result is registered once.

    Raises:
        InputError: there is no result.
    """
    found = results(entry)
    if not found:
        raise InputError(f"{entry.results}: there is no result to register as {name}; run `dvc repro {entry.stage}`")
    mlflow.set_tracking_uri(server.uri())
    client = mlflow.MlflowClient()
    chosen = best(entry, found)
    content = content_hash(chosen.folder)
    for version in client.search_model_versions(f"name='{name}'"):
        if version.tags.get("content") == content:
            return version
    uri, run_id = _logged(entry, name, chosen)
    tags = {
        **lineage.tags(entry.stage),
        **summary(entry, found),
        "dvc.stage": entry.stage,
        "dvc.lock": lineage.lock_hash(),
        "corpus": chosen.metrics["corpus"],
        "content": content,
        "result": chosen.folder.as_posix(),
    }
    version = add_version(name, entry, uri, run_id, tags)
    client.set_registered_model_alias(name, CHALLENGER, version.version)
    return version
