"""The registry in MLflow: results of the stages become versions of models, each with its card and its provenance."""

import hashlib
import json
import math
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType

import mlflow
from mlflow.entities.model_registry import ModelVersion

from eegdiffusion.core.observe.tracking import dvc_lock, lineage, log_model, server
from eegdiffusion.core.observe.tracking.datasets import Data, dataset
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.hashing import content_hash, text_hash
from eegdiffusion.core.runtime.markdown import markdown_text
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.operations.lineage import lineage_transport
from eegdiffusion.operations.lineage.locked_graph import LockedPath, read_locked_graph
from eegdiffusion.operations.lineage.open_lineage import registry_events
from eegdiffusion.operations.registry import card, provenance, signature, signed_record
from eegdiffusion.operations.registry.card import CardData
from eegdiffusion.operations.registry.logged_files import fetch_as_made
from eegdiffusion.operations.registry.registry_config import (
    CHALLENGER,
    RegisteredModelConfig,
    TrainingResult,
    best_result,
    read_results,
    summarise_results,
)
from eegdiffusion.operations.registry.signed_record import SignedRecord, signed_tags
from eegdiffusion.operations.registry.signing_keys import SigningKey, signing_key
from eegdiffusion.operations.registry.verified_version import require_verified

CARD = "model_card"


def score_tags(config: RegisteredModelConfig, results: list[TrainingResult]) -> dict[str, str]:
    """Write the mean and standard deviation of each metric over the seeds, and their number, as tags."""
    tags = {"seeds": str(len(results))}
    for metric, summary in summarise_results(config, results).items():
        tags[f"{metric}.mean"] = f"{summary.mean:.4f}"
        if not math.isnan(summary.sd):
            tags[f"{metric}.sd"] = f"{summary.sd:.4f}"
    return tags


def _serving(config: RegisteredModelConfig) -> ModuleType:
    return import_module(f"eegdiffusion.{config.serving}")


def _model_of_training(result: TrainingResult) -> dict | None:
    """Return what ``mlflow.json`` says of the model that a training logged; None where this server has not got it.

    It has not where a stage came from DVC's cache, or somebody deleted the model or its run.
    """
    for reference in Path("models/runs").rglob("mlflow.json"):
        logged = json.loads(reference.read_text())
        if logged["folder"] == result.folder.as_posix() and logged["model_uri"]:
            try:
                mlflow.get_logged_model(logged["model_id"])
            except mlflow.MlflowException:
                return None
            return logged if server.is_active(logged["run_id"]) else None
    return None


def _other_version(model_id: str, own: ModelVersion | None) -> ModelVersion | None:
    """Return a version that holds a logged model already: each has one of its own, with its signature in it."""
    versions = mlflow.MlflowClient().search_model_versions(f"source_path='models:/{model_id}'")
    return next((v for v in versions if own is None or (v.name, v.version) != (own.name, own.version)), None)


def _logged_model(
    config: RegisteredModelConfig,
    name: str,
    result: TrainingResult,
    data: dict[str, str],
    files: Path,
    interrupted: ModelVersion | None,
) -> tuple[str, str | None]:
    """Return model URI and run of a result, and bring the model's files; it is logged anew where that is needed.

    That is where the server has not got what this result and the library here make, see :func:`_model_of_training` and
    :func:`.fetch_as_made`, or where it is another version's.
    """
    logged = _model_of_training(result)
    if logged is not None:
        try:
            if other := _other_version(logged["model_id"], interrupted):
                raise InputError(f"it is version {other.version} of {other.name}")
            fetch_as_made(logged["model_id"], _serving(config), result.folder, files)
            return logged["model_uri"], logged["run_id"]
        except InputError as error:
            say(f"{name}: the model of run {logged['run_id']} is logged anew: {error}", stream=sys.stderr)
            shutil.rmtree(files)
            files.mkdir()
    server.experiment(config.stage)
    why = "from the DVC cache" if logged is None else "as registered"
    with mlflow.start_run(run_name=f"{name} on {result.metrics['corpus']}, {why}") as run:
        cached = {"from_cache": str(logged is None)}
        mlflow.set_tags(lineage.tags(config.stage) | {"corpus": result.metrics["corpus"]} | cached)
        for path in data:
            mlflow.log_input(dataset(Data(path, Path(path), "training")), context="training")
        scores = {metric: result.metrics[metric] for metric in config.metrics}
        return log_result(config, name, result.folder, scores, files), run.info.run_id


def log_result(config: RegisteredModelConfig, name: str, folder: Path, metrics: dict[str, float], files: Path) -> str:
    """Log the model in a folder to the active run, served by the module that its configuration names.

    Args:
        config: settings of the model.
        name: its name.
        folder: folder of the result.
        metrics: shown beside the model.
        files: empty folder, to which its files are brought, for :func:`document_version`.

    Returns:
        the model's URI.

    Raises:
        InputError: the server does not hold what was sent.
    """
    info = log_model.log(_serving(config), name, folder, metrics)
    fetch_as_made(info.model_id, _serving(config), folder, files)
    return info.model_uri


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
    # A server over HTTP asks for the id beside the address that holds it.
    model_id = uri.removeprefix("models:/")
    return client.create_model_version(name, uri, run_id, tags, description=description, model_id=model_id)


def document_version(
    version: ModelVersion,
    config: RegisteredModelConfig,
    folder: Path,
    files: Path,
    tags: Mapping[str, str],
    key: SigningKey,
    results: Sequence[TrainingResult] = (),
    data: dict[str, str] | None = None,
    lock: str | None = None,
    patch: bytes = b"",
) -> None:
    """Give a version its card, figures, provenance and signature, as artifacts of the model.

    The card goes to the run, and is the version's description too.

    Args:
        version: without a card.
        config: settings of its model.
        folder: folder of the registered result.
        files: the files of its logged model, as :func:`log_result` brings them; what is added is added here too.
        tags: its tags, as they are here and not on the server.
        key: signs the files and the tags.
        results: results of all seeds; none for an imported model, which has no provenance in DVC.
        data: what the stage depended on, with DVC's hashes.
        lock: text of ``dvc.lock``; None: no provenance is written.
        patch: what had not been committed.
    """
    client = mlflow.MlflowClient()
    model_id = version.source.removeprefix("models:/")
    with tempfile.TemporaryDirectory() as temporary:
        added = Path(temporary, "added")
        card_data = CardData(version.name, str(version.version), config, folder, results, tags, data or {})
        description = card.write_card(card_data, added / CARD)
        if lock is not None:
            target = added / provenance.provenance_path(version.version)
            provenance.write_provenance(target, lock, patch, folder, [result.folder for result in results])
        record = SignedRecord(version.name, str(version.version), model_id, key.name, signed_tags(tags))
        record.write(added / signed_record.FILE)
        shutil.copytree(added, files, dirs_exist_ok=True)
        signature.sign_folder(files, added / signature.FILE, key)
        client.log_model_artifacts(model_id, str(added))
        client.log_artifacts(version.run_id, str(added / CARD), CARD)
    client.update_model_version(version.name, version.version, description)
    # Last: a version without this tag is one whose registration was interrupted.
    client.set_model_version_tag(version.name, version.version, "card", f"{CARD}/{card.CARD_FILE}")


def _version_tags(
    config: RegisteredModelConfig,
    chosen: TrainingResult,
    results: list[TrainingResult],
    lock: str | None,
    patch: bytes,
    content: str,
) -> dict[str, str]:
    origin = None if lock is None else provenance.find_origin(lock, chosen.folder.as_posix())
    tags = {
        **lineage.tags(config.stage),
        **score_tags(config, results),
        "dvc.stage": origin.stage if origin else config.stage,
        "dvc.lock": "none" if lock is None else hashlib.sha256(lock.encode()).hexdigest(),
        "corpus": chosen.metrics["corpus"],
        "content": content,
        "result": chosen.folder.as_posix(),
    }
    if patch:  # also where all that was not committed are new files, which git does not count
        tags["git.revision"] = tags["git.revision"].removesuffix("-dirty") + "-dirty"
    return tags | {name: chosen.metrics[name] for name in ("split", "split_hash") if name in chosen.metrics}


def _verifies(version: ModelVersion) -> bool:
    try:
        require_verified(version)
    except InputError as error:
        say(f"{version.name}/{version.version}: is registered anew: {error}", stream=sys.stderr)
        return False
    return True


def register_model(name: str, config: RegisteredModelConfig) -> ModelVersion:
    """Register the best result of a model as its new version and challenger; the same results are registered once.

    Raises:
        InputError: there is no result, or no key to sign it with.
    """
    results = read_results(config)
    if not results:
        raise InputError(f"{config.results}: there is no result to register as {name}; run `dvc repro {config.stage}`")
    key = signing_key()
    server.connect()
    client = mlflow.MlflowClient()
    chosen = best_result(config, results)
    # Of all seeds: with another seed the mean is another, also where the best one stays.
    pictures = [content_hash(Path(config.pictures, "metrics.json"))] if config.pictures else []
    content = text_hash(chosen.folder.as_posix(), [content_hash(result.folder) for result in results], *pictures)
    same = [v for v in client.search_model_versions(f"name='{name}'") if v.tags.get("content") == content]
    for version in same:
        # One that does not verify stays as it is, for whoever looks into what happened to it.
        if "card" in version.tags and _verifies(version):
            return version
    interrupted = next((version for version in same if "card" not in version.tags), None)
    lock = dvc_lock.read()
    origin = None if lock is None else provenance.find_origin(lock, chosen.folder.as_posix())
    data = origin.data if origin else {}
    patch = provenance.uncommitted_patch()
    tags = _version_tags(config, chosen, results, lock, patch, content)
    with tempfile.TemporaryDirectory(prefix="eeg-model-") as temporary:
        files = Path(temporary, "model")
        files.mkdir()
        uri, run_id = _logged_model(config, name, chosen, data, files, interrupted)
        if interrupted and interrupted.source == uri:
            version = _restored(interrupted, tags)
        else:
            version = add_version(name, config, uri, run_id, tags)
        client.set_registered_model_alias(name, CHALLENGER, version.version)
        document_version(version, config, chosen.folder, files, tags, key, results, data, lock, patch)
    _emit(name, str(version.version), chosen, lock)
    return client.get_model_version(name, version.version)


def _emit(name: str, number: str, chosen: TrainingResult, lock: str | None) -> None:
    """Say in OpenLineage's terms which output of which stage became a version."""
    path = chosen.folder.as_posix()
    behind = read_locked_graph(lock).outputs_behind(path) if lock is not None else []
    outputs = [out for _, out in behind] or [LockedPath(path, content_hash(chosen.folder))]
    lineage_transport.emit(
        registry_events("register", name, number, outputs, lineage_transport.namespace(), datetime.now(UTC))
    )


def _restored(version: ModelVersion, tags: dict[str, str]) -> ModelVersion:
    """Give a version whose registration was interrupted the tags that will be signed."""
    client = mlflow.MlflowClient()
    for tag in signed_tags(version.tags).keys() - tags.keys():
        client.delete_model_version_tag(version.name, version.version, tag)
    for tag, value in tags.items():
        client.set_model_version_tag(version.name, version.version, tag, value)
    return client.get_model_version(version.name, version.version)
