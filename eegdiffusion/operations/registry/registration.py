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
from eegdiffusion.core.runtime.markdown import markdown_text
from eegdiffusion.operations.registry import card, provenance
from eegdiffusion.operations.registry.card import CardData
from eegdiffusion.operations.registry.registry_config import (
    CHALLENGER,
    RegisteredModelConfig,
    TrainingResult,
    best_result,
    read_results,
    summarise_results,
)

CARD = "model_card"


def score_tags(config: RegisteredModelConfig, results: list[TrainingResult]) -> dict[str, str]:
    """Write the mean and standard deviation of each metric over the seeds, and their number, as tags."""
    tags = {"seeds": str(len(results))}
    for metric, summary in summarise_results(config, results).items():
        tags[f"{metric}.mean"] = f"{summary.mean:.4f}"
        if not math.isnan(summary.sd):
            tags[f"{metric}.sd"] = f"{summary.sd:.4f}"
    return tags


def _logged_model(
    config: RegisteredModelConfig, name: str, result: TrainingResult, data: dict[str, str]
) -> tuple[str, str | None]:
    """Return model URI and run of a result, logging it anew where this server has not got it.

    It has not where a stage came from DVC's cache, or somebody deleted the model or its run.
    """
    for reference in Path("models/runs").rglob("mlflow.json"):
        logged = json.loads(reference.read_text())
        if logged["folder"] == result.folder.as_posix() and logged["model_uri"]:
            try:
                mlflow.get_logged_model(logged["model_id"])
            except mlflow.MlflowException:
                break
            if not server.is_active(logged["run_id"]):
                break
            return logged["model_uri"], logged["run_id"]
    server.experiment(config.stage)
    with mlflow.start_run(run_name=f"{name} on {result.metrics['corpus']}, from the DVC cache") as run:
        mlflow.set_tags(lineage.tags(config.stage) | {"corpus": result.metrics["corpus"], "from_cache": "True"})
        for path in data:
            mlflow.log_input(dataset(Data(path, Path(path), "training")), context="training")
        scores = {metric: result.metrics[metric] for metric in config.metrics}
        return log_result(config, name, result.folder, scores).model_uri, run.info.run_id


def log_result(
    config: RegisteredModelConfig, name: str, folder: Path, metrics: dict[str, float]
) -> mlflow.models.model.ModelInfo:
    """Log the model in a folder to the active run, served by the module that its configuration names."""
    return log_model.log(import_module(f"eegdiffusion.{config.serving}"), name, folder, metrics)


def add_version(
    name: str, config: RegisteredModelConfig, uri: str, run_id: str | None, tags: dict[str, str]
) -> ModelVersion:
    """Make a logged model a version of a registered one, which is created when missing."""
    client = mlflow.MlflowClient()
    try:
        client.get_registered_model(name)
    except mlflow.MlflowException:
        client.create_registered_model(name, description=config.description)
    description = f"{config.description}; trained on {markdown_text(tags['corpus'])} data"
    return client.create_model_version(name, uri, run_id, tags, description=description)


def document_version(
    version: ModelVersion,
    config: RegisteredModelConfig,
    folder: Path,
    results: Sequence[TrainingResult] = (),
    data: dict[str, str] | None = None,
    lock: str | None = None,
) -> None:
    """Give a version its card, figures and provenance: as artifacts of model and run, the card as its description too.

    Args:
        version: without a card.
        config: settings of its model.
        folder: folder of the registered result.
        results: results of all seeds; none for an imported model, which has no provenance in DVC.
        data: what the stage depended on, with DVC's hashes.
        lock: text of ``dvc.lock``; None: no provenance is written.
    """
    client = mlflow.MlflowClient()
    model_id = version.source.removeprefix("models:/")
    with tempfile.TemporaryDirectory() as temporary:
        card_data = CardData(version.name, str(version.version), config, folder, results, version.tags, data or {})
        description = card.write_card(card_data, Path(temporary, CARD))
        if lock is not None:
            target = Path(temporary, provenance.provenance_path(version.version))
            provenance.write_provenance(target, lock, folder, [result.folder for result in results])
        client.log_model_artifacts(model_id, temporary)
        client.log_artifacts(version.run_id, str(Path(temporary, CARD)), CARD)
    client.update_model_version(version.name, version.version, description)
    # Last: a version without this tag is one whose registration was interrupted.
    client.set_model_version_tag(version.name, version.version, "card", f"{CARD}/{card.CARD_FILE}")


def register_model(name: str, config: RegisteredModelConfig) -> ModelVersion:
    """Register the best result of a model as its new version and challenger; the same results are registered once.

    Raises:
        InputError: there is no result.
    """
    results = read_results(config)
    if not results:
        raise InputError(f"{config.results}: there is no result to register as {name}; run `dvc repro {config.stage}`")
    server.connect()
    client = mlflow.MlflowClient()
    chosen = best_result(config, results)
    # Of all seeds: with another seed the mean is another, also where the best one stays.
    content = text_hash(chosen.folder.as_posix(), [content_hash(result.folder) for result in results])
    lock = dvc_lock.read()
    origin = None if lock is None else provenance.find_origin(lock, chosen.folder.as_posix())
    data = origin.data if origin else {}
    same = [v for v in client.search_model_versions(f"name='{name}'") if v.tags.get("content") == content]
    if same and "card" in same[0].tags:
        return same[0]
    if same:
        version = same[0]
    else:
        uri, run_id = _logged_model(config, name, chosen, data)
        tags = {
            **lineage.tags(config.stage),
            **score_tags(config, results),
            "dvc.stage": origin.stage if origin else config.stage,
            "dvc.lock": "none" if lock is None else hashlib.sha256(lock.encode()).hexdigest(),
            "corpus": chosen.metrics["corpus"],
            "content": content,
            "result": chosen.folder.as_posix(),
        }
        tags |= {name: chosen.metrics[name] for name in ("split", "split_hash") if name in chosen.metrics}
        version = add_version(name, config, uri, run_id, tags)
    client.set_registered_model_alias(name, CHALLENGER, version.version)
    document_version(version, config, chosen.folder, results, data, lock)
    return client.get_model_version(name, version.version)
