"""Every registered model, tampered with in every way: each is refused by its reason, and honest ones are loaded."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import pytest

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.operations.registry import signature, signed_record, signing_keys
from eegdiffusion.operations.registry.load_registered_model import load_registered_model
from eegdiffusion.operations.registry.registry_config import read_registry
from eegdiffusion.operations.registry.verified_version import verified_files
from tests import registered_versions, tiny_results
from tests.e2e.workspace import ROOT
from tests.tracking_uri import tracking_uri_restored

TAGS = {"corpus": "surrogate", "split_hash": "0123"}

REGISTRY = read_registry(ROOT / "mlflow/registry.yaml")


def _name(kind: str) -> str:
    return kind.replace("{entry}", "distinct")


NAMES = [_name(kind) for kind in tiny_results.WRITERS]


@pytest.fixture(scope="module")
def registered(tmp_path_factory):
    """A registry with a signed version of every model, all of tiny size."""
    folder = tmp_path_factory.mktemp("registry")
    with tracking_uri_restored():
        uri = f"sqlite:///{folder}/mlflow.db"
        mlflow.set_tracking_uri(uri)
        mlflow.create_experiment("tampered", artifact_location=(folder / "artifacts").as_uri())
        mlflow.set_experiment("tampered")
        with mlflow.start_run():
            for kind, write in tiny_results.WRITERS.items():
                result = write(folder / _name(kind))
                registered_versions.add_signed(_name(kind), REGISTRY[kind].serving, result, TAGS)
    return uri


@pytest.fixture
def client(registered, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registered)
    mlflow.set_tracking_uri(registered)
    return mlflow.MlflowClient()


@pytest.fixture
def version(client, request):
    """A version and the folder of its files in the store; both are as they were after the test."""
    stored = client.get_model_version(request.param, "1")
    location = mlflow.get_logged_model(stored.source.removeprefix("models:/")).artifact_location
    folder = Path(location.removeprefix("file://"))
    kept = folder.with_name("kept")
    shutil.copytree(folder / "artifacts", kept)
    signed = {name: (folder / name).read_bytes() for name in (signature.FILE, signed_record.FILE)}
    yield SimpleNamespace(name=stored.name, folder=folder, stored=stored)
    shutil.rmtree(folder / "artifacts")
    kept.rename(folder / "artifacts")
    for name, content in signed.items():
        (folder / name).write_bytes(content)
    client.set_model_version_tag(stored.name, "1", "split_hash", TAGS["split_hash"])


def _weights(folder: Path) -> Path:
    return min(folder.glob("artifacts/**/*.safetensors"))


def _flip(version) -> str:
    path = _weights(version.folder)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    return f"altered: {path.relative_to(version.folder)}"


def _swap(version) -> str:
    """Two files of the model change places: nothing is in it that was not signed."""
    weights = _weights(version.folder)
    other = min(path for path in version.folder.glob("artifacts/**/*.json"))
    first, second = weights.read_bytes(), other.read_bytes()
    weights.write_bytes(second)
    other.write_bytes(first)
    return "altered: "


def _add(version) -> str:
    (version.folder / "artifacts/more.json").write_text("{}")
    return "files more: artifacts/more.json"


def _remove(version) -> str:
    path = _weights(version.folder)
    path.unlink()
    return f"files missing: {path.relative_to(version.folder)}"


def _link(version) -> str:
    path = _weights(version.folder)
    outside = version.folder.with_name(f"{version.name}-outside")
    path.rename(outside)
    path.symlink_to(outside)
    return "is a link, or no file"


def _sign_with_another_key(version) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(signing_keys.SIGNING_VARIABLE)
        patch.setenv(signing_keys.TRUSTED_VARIABLE, str(version.folder.parent / "attacker"))
        keys = version.folder.parent / "attacker"
        shutil.rmtree(keys, ignore_errors=True)
        registered_versions.sign(version.stored, signing_keys.create_key("tests", keys))
    return "it is signed by a key that is not trusted here"


def _strip(version) -> str:
    (version.folder / signature.FILE).unlink()
    return "it is not signed"


def _strip_with_the_record(version) -> str:
    (version.folder / signed_record.FILE).unlink()
    return _strip(version)


def _retag(version) -> str:
    mlflow.MlflowClient().set_model_version_tag(version.name, "1", "split_hash", "4567")
    return "its tag 'split_hash' is '4567', and '0123' was signed"


CHANGES: dict[str, Callable[[SimpleNamespace], str]] = {
    "a bit flipped": _flip,
    "files swapped": _swap,
    "a file added": _add,
    "a file removed": _remove,
    "a file linked": _link,
    "another's key": _sign_with_another_key,
    "the signature stripped": _strip,
    "signature and record stripped": _strip_with_the_record,
    "a tag changed": _retag,
}


def test_every_registered_model_is_among_them():
    assert tiny_results.WRITERS.keys() == REGISTRY.keys()


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("version", NAMES, indirect=True)
def test_what_was_tampered_with_is_refused_by_its_reason(version, change):
    reason = CHANGES[change](version)
    with pytest.raises(InputError) as refused:
        load_registered_model(f"models:/{version.name}/1")
    assert str(refused.value).startswith(f"--model: models:/{version.name}/1: is refused: ")
    assert reason in str(refused.value)


@pytest.mark.parametrize("name", NAMES)
def test_honest_versions_are_loaded_and_run(client, name):
    with verified_files(f"models:/{name}/1", "test") as verified:
        assert (verified.record.name, verified.signer.name) == (name, "tests")
    model = load_registered_model(f"models:/{name}/1")
    output = model.predict(model.input_example)
    assert len(output) == 2
    assert np.isfinite(output).all()
