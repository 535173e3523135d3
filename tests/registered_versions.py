"""Versions of registered models for tests: signed as `eeg register` signs them, from any folder of a result."""

import tempfile
from contextlib import chdir
from importlib import import_module
from pathlib import Path

import mlflow

from eegdiffusion.core.observe.tracking import log_model
from eegdiffusion.operations.registry import registration, signature, signed_record
from eegdiffusion.operations.registry.registry_config import read_registry
from eegdiffusion.operations.registry.signed_record import SignedRecord, signed_tags
from eegdiffusion.operations.registry.signing_keys import signing_key
from eegdiffusion.operations.registry.verified_version import fetch_version
from tests.e2e.workspace import ROOT


def register(name: str, folder: Path, tags: dict[str, str]) -> "mlflow.entities.model_registry.ModelVersion":
    """Log the model in a folder to the active run, and make it a signed version."""
    config = read_registry(ROOT / "mlflow/registry.yaml")[name]
    run_id = mlflow.active_run().info.run_id
    folder = folder.absolute()
    with tempfile.TemporaryDirectory() as files, chdir(ROOT):
        uri = registration.log_result(config, name, folder, {}, Path(files))
        version = registration.add_version(name, config, uri, run_id, tags)
        registration.document_version(version, config, folder, Path(files), tags, signing_key())
    return mlflow.MlflowClient().get_model_version(name, version.version)


def add_signed(name: str, serving: str, folder: Path, tags: dict[str, str]) -> None:
    """Make a signed version of the files that a result makes, without MLflow's run of the example, which takes long."""
    client = mlflow.MlflowClient()
    with tempfile.TemporaryDirectory() as temporary, chdir(ROOT):
        files = Path(temporary, "model")
        log_model.save(import_module(f"eegdiffusion.{serving}"), folder, files)
        model = client.create_logged_model(mlflow.active_run().info.experiment_id, name=name)
        client.log_model_artifacts(model.model_id, str(files))
    client.finalize_logged_model(model.model_id, "READY")
    client.create_registered_model(name)
    source = f"models:/{model.model_id}"
    sign(client.create_model_version(name, source, tags=tags, model_id=model.model_id))


def sign(version, key=None, /, **record) -> None:
    """Sign a version as it is on the server now, with this key and these fields of the record."""
    client = mlflow.MlflowClient()
    version = client.get_model_version(version.name, version.version)
    model_id, key = version.source.removeprefix("models:/"), key or signing_key()
    fields = {"name": version.name, "version": str(version.version), "model_id": model_id, "signer": key.name}
    with tempfile.TemporaryDirectory() as temporary:
        files, added = Path(temporary, "files"), Path(temporary, "added")
        files.mkdir()
        added.mkdir()
        fetch_version(version, files)
        (files / signature.FILE).unlink(missing_ok=True)
        SignedRecord(**fields | {"tags": signed_tags(version.tags)} | record).write(added / signed_record.FILE)
        (files / signed_record.FILE).write_bytes((added / signed_record.FILE).read_bytes())
        signature.sign_folder(files, added / signature.FILE, key)
        client.log_model_artifacts(model_id, str(added))
