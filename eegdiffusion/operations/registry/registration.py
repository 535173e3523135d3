"""The registry in MLflow: results of the stages become versions of models, each with its card and its provenance."""

import hashlib
import json
import math
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion

from eegdiffusion.core.observe.tracking import dvc_lock, lineage, log_model, server
from eegdiffusion.core.observe.tracking.datasets import Data, dataset
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.hashing import content_hash, text_hash
from eegdiffusion.operations.registry import card, provenance
from eegdiffusion.operations.registry.card import Subject
from eegdiffusion.operations.registry.registry_config import CHALLENGER, Entry, Result, best, results, summaries

CARD = "model_card"


def score_tags(entry: Entry, found: list[Result]) -> dict[str, str]:
    """Mean, sd and number of seeds of each metric, as tags."""
    tags = {"seeds": str(len(found))}
    for metric, summary in summaries(entry, found).items():
        tags[f"{metric}.mean"] = f"{summary.mean:.4f}"
        if not math.isnan(summary.sd):
            tags[f"{metric}.sd"] = f"{summary.sd:.4f}"
    return tags


def _logged(entry: Entry, name: str, result: Result, data: dict[str, str]) -> tuple[str, str | None]:
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
        for path in data:
            mlflow.log_input(dataset(Data(path, Path(path), "training")), context="training")
        scores = {metric: result.metrics[metric] for metric in entry.metrics}
        mlflow.log_metrics(scores)
        return log(entry, name, result.folder, scores).model_uri, run.info.run_id


def log(entry: Entry, name: str, folder: Path, metrics: dict[str, float]) -> mlflow.models.model.ModelInfo:
    """Log the model in a folder to the active run, served as the entry says."""
    return log_model.log(import_module(f"eegdiffusion.{entry.serving}"), name, folder, metrics)


def add_version(name: str, entry: Entry, uri: str, run_id: str, tags: dict[str, str]) -> ModelVersion:
    """Make a logged model a version of a registered one, which is created when missing."""
    client = mlflow.MlflowClient()
    try:
        client.get_registered_model(name)
    except mlflow.MlflowException:
        client.create_registered_model(name, description=entry.description)
    description = f"{entry.description}; trained on {tags['corpus']} data"
    return client.create_model_version(name, uri, run_id, tags, description=description)


def document(
    version: ModelVersion, entry: Entry, folder: Path, found: Sequence[Result] = (), data: dict[str, str] | None = None,
    lock: str | None = None,
) -> None:  # fmt: skip
    """Give a version its card, figures and provenance: as artifacts of model and run, the card as its description too.

    Args:
        version: without a card.
        entry: of its model.
        folder: what was registered.
        found: results of all seeds; none for an imported model, which has no provenance in DVC.
        data: what the stage depended on, with DVC's hashes.
        lock: text of ``dvc.lock``; None: no provenance is written.
    """
    client = mlflow.MlflowClient()
    model_id = version.source.removeprefix("models:/")
    with tempfile.TemporaryDirectory() as temporary:
        subject = Subject(version.name, str(version.version), entry, folder, found, version.tags, data or {})
        description = card.write(subject, Path(temporary, CARD))
        if lock is not None:
            provenance.write(Path(temporary, provenance.place(version.version)), lock, folder)
        client.log_model_artifacts(model_id, temporary)
        client.log_artifacts(version.run_id, str(Path(temporary, CARD)), CARD)
    client.update_model_version(version.name, version.version, description)
    # Last: a version without this tag is one whose registration was interrupted.
    client.set_model_version_tag(version.name, version.version, "card", f"{CARD}/{card.FILE}")


def register(name: str, entry: Entry) -> ModelVersion:
    """Register the best result of a model as its new version and challenger; the same results are registered once.

    Raises:
        InputError: there is no result.
    """
    found = results(entry)
    if not found:
        raise InputError(f"{entry.results}: there is no result to register as {name}; run `dvc repro {entry.stage}`")
    mlflow.set_tracking_uri(server.uri())
    client = mlflow.MlflowClient()
    chosen = best(entry, found)
    # Of all seeds: with another seed the mean is another, also where the best one stays.
    content = text_hash(chosen.folder.as_posix(), [content_hash(result.folder) for result in found])
    lock = dvc_lock.read()
    made = None if lock is None else provenance.made_by(lock, chosen.folder.as_posix())
    data = made.data if made else {}
    same = [v for v in client.search_model_versions(f"name='{name}'") if v.tags.get("content") == content]
    if same and "card" in same[0].tags:
        return same[0]
    if same:
        version = same[0]
    else:
        uri, run_id = _logged(entry, name, chosen, data)
        tags = {
            **lineage.tags(entry.stage),
            **score_tags(entry, found),
            "dvc.stage": made.stage if made else entry.stage,
            "dvc.lock": "none" if lock is None else hashlib.sha256(lock.encode()).hexdigest(),
            "corpus": chosen.metrics["corpus"],
            "content": content,
            "result": chosen.folder.as_posix(),
        }
        tags |= {name: chosen.metrics[name] for name in ("split", "split_hash") if name in chosen.metrics}
        version = add_version(name, entry, uri, run_id, tags)
    client.set_registered_model_alias(name, CHALLENGER, version.version)
    document(version, entry, chosen.folder, found, data, lock)
    return client.get_model_version(name, version.version)
