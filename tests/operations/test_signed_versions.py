"""Versions of registered models are signed; what is not as it was signed is neither loaded nor promoted."""

import json
import os
import shutil
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file, save_file

import eegdiffusion
from eegdiffusion.commands.promote import command as promote
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.operations.registry import load_registered_model as loading
from eegdiffusion.operations.registry import signing_keys, verified_version
from eegdiffusion.operations.registry.load_registered_model import load_registered_model
from eegdiffusion.operations.registry.verified_version import verified_files
from tests import registered_versions, site_authority
from tests.predict import tiny_model

LFT = "models:/lft/1"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A registry with one version of lft, the champion."""
    return tiny_model.register(tmp_path_factory.mktemp("signed"))[0]


@pytest.fixture
def client(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    mlflow.set_tracking_uri(store)
    return mlflow.MlflowClient()


@pytest.fixture
def files(client):
    """The files of the version in the store, which are put back after the test."""
    version = client.get_model_version("lft", "1")
    location = mlflow.get_logged_model(version.source.removeprefix("models:/")).artifact_location
    folder = Path(location.removeprefix("file://"))
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    yield folder
    shutil.rmtree(folder)
    kept.rename(folder)
    for tag in client.get_model_version("lft", "1").tags.keys() - version.tags.keys():
        client.delete_model_version_tag("lft", "1", tag)
    for tag, value in version.tags.items():
        client.set_model_version_tag("lft", "1", tag, value)


@pytest.fixture
def other_key(tmp_path, monkeypatch):
    """A key that is not trusted."""
    with monkeypatch.context() as patch:
        patch.delenv(signing_keys.SIGNING_VARIABLE)
        patch.setenv(signing_keys.TRUSTED_VARIABLE, str(tmp_path / "their"))
        return signing_keys.create_key("attacker", tmp_path / "keys")


def _weights(folder):
    return next(folder.glob("artifacts/lft/*.safetensors"))


def _roll_classes(folder):
    """Another diagnosis for each window: the last layer's rows are rolled by a class."""
    tensors = load_file(_weights(folder))
    name = next(name for name, value in tensors.items() if value.shape == (6,))
    tensors[name] = np.roll(tensors[name], 1)
    save_file(tensors, _weights(folder))


def _flip(folder):
    content = bytearray(_weights(folder).read_bytes())
    content[-1] ^= 1
    _weights(folder).write_bytes(content)


def _reverse_names(folder):
    path = folder / "artifacts/preprocessing.json"
    document = json.loads(path.read_text())
    document["classes"] = document["classes"][::-1]
    path.write_text(json.dumps(document))


def _link(folder):
    path = _weights(folder)
    path.rename(folder.parent / "elsewhere")
    path.symlink_to(folder.parent / "elsewhere")


def _append(path, line):
    path.write_text(path.read_text() + line)


def _change_mlmodel(folder, **fields):
    path = folder / "MLmodel"
    document = yaml.safe_load(path.read_text())
    document["flavors"]["python_function"] |= fields
    path.write_text(yaml.safe_dump(document))


CHANGES = {
    "a bit flipped": (_flip, r"altered: artifacts/lft/.*safetensors"),
    "layers rolled by a class": (_roll_classes, r"altered: artifacts/lft/.*safetensors"),
    "names of classes reversed": (_reverse_names, r"altered: artifacts/preprocessing.json"),
    "two files swapped": (
        lambda folder: shutil.copy(folder / "artifacts/backbone/config.json", folder / "artifacts/lft/config.json"),
        r"altered: artifacts/lft/config.json",
    ),
    "a line of code added": (
        lambda folder: _append(folder / "lft_pyfunc.py", "print(1)\n"),
        "altered: lft_pyfunc.py",
    ),
    "a line of the library added": (
        lambda folder: _append(folder / "code/eegdiffusion/__init__.py", "print(1)\n"),
        r"altered: code/eegdiffusion/__init__\.py",
    ),
    "the description changed": (lambda folder: _append(folder / "MLmodel", "x: 1\n"), "altered: MLmodel"),
    "a file more": (lambda folder: (folder / "artifacts/x.json").write_text("{}"), r"files more: artifacts/x\.json"),
    "a module more": (
        lambda folder: (folder / "code/sitecustomize.py").write_text("print(1)"),
        r"files more: code/sitecustomize\.py",
    ),
    "a hidden file more": (lambda folder: (folder / ".gitignore").write_text("x"), r"files more: \.gitignore"),
    "bytecode without its source": (
        lambda folder: (folder / "code/eegdiffusion/x.pyc").write_bytes(b"x"),
        r"files more: code/eegdiffusion/x\.pyc",
    ),
    "a file less": (lambda folder: (folder / "requirements.txt").unlink(), "files missing: requirements.txt"),
    "the record gone": (lambda folder: (folder / "signed_record.json").unlink(), "files missing: signed_record.json"),
    "a file linked": (_link, "is a link"),
    "a folder linked": (
        lambda folder: (folder / "artifacts/more").symlink_to(folder / "artifacts/lft"),
        "artifacts/more: is a link",
    ),
    "a pipe": (lambda folder: os.mkfifo(folder / "artifacts/pipe.json"), "is a link, or no file"),
    "the signature stripped": (lambda folder: (folder / "model.sig").unlink(), "it is not signed"),
    "the signature emptied": (lambda folder: (folder / "model.sig").write_text(""), "model.sig cannot be read"),
    "the signature no signature": (
        lambda folder: (folder / "model.sig").write_text('{"verificationMaterial": {"publicKey": {}}}'),
        "model.sig cannot be read",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_files_that_were_changed_are_refused(files, change):
    alter, reason = CHANGES[change]
    alter(files)
    with pytest.raises(InputError, match=rf"^--model: {LFT}: is refused: .*{reason}"):
        load_registered_model(LFT)


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("corpus", "TUEV"),
        ("corpus", None),
        ("cohen_kappa.mean", "0.99"),
        ("split_hash", "0"),
        ("git.revision", "0"),
        ("imported.file", "x"),
        ("corpus", " surrogate"),
    ],
)
def test_tags_that_were_changed_are_refused(client, files, tag, value):
    if value is None:
        client.delete_model_version_tag("lft", "1", tag)
    else:
        client.set_model_version_tag("lft", "1", tag, value)
    with pytest.raises(InputError, match=rf"is refused: its tag '{tag}' is '{value or 'none'}', and '.*' was signed"):
        load_registered_model(LFT)


def test_tags_that_say_what_became_of_a_version_may_change(client, files):
    for tag in ("gate", "champion.since", "reproduced", "note of ours"):
        client.set_model_version_tag("lft", "1", tag, "x")
    with verified_files(LFT, "test") as verified:
        assert verified.signer.name == "tests"


def test_the_key_of_another_is_refused_also_under_a_name_that_is_trusted(client, files, other_key):
    version = client.get_model_version("lft", "1")
    registered_versions.sign(version, other_key)
    with pytest.raises(InputError, match=r"signed by a key that is not trusted here, 'SHA256:.*trusted: tests"):
        load_registered_model(LFT)
    signature = files / "model.sig"
    ours = signing_keys.signing_key().fingerprint
    signature.write_text(signature.read_text().replace(other_key.fingerprint, ours))
    with pytest.raises(InputError, match=r"its signature is not by the key tests \(SHA256:.*\) that it names"):
        load_registered_model(LFT)


def test_a_key_is_trusted_by_hand_and_forgotten(client, files, other_key, tmp_path, monkeypatch):
    monkeypatch.setenv(signing_keys.TRUSTED_VARIABLE, str(tmp_path / "ours"))
    registered_versions.sign(client.get_model_version("lft", "1"), other_key)
    with pytest.raises(InputError, match=r"not trusted here, .*trusted: none"):
        load_registered_model(LFT)
    (tmp_path / "site.pub").write_bytes(other_key.public)
    signing_keys.trust_key(tmp_path / "site.pub", "hospital")
    with verified_files(LFT, "test") as verified:
        assert str(verified).startswith("lft/1, signed by hospital (SHA256:")
    signing_keys.forget_key("hospital")
    with pytest.raises(InputError, match="not trusted here"):
        load_registered_model(LFT)


def test_a_version_signed_by_a_certificate_of_the_site_is_loaded(client, files, tmp_path, monkeypatch):
    root = site_authority.authority()
    monkeypatch.setenv(signing_keys.SIGNING_VARIABLE, str(root.issue().write(tmp_path / "site.pem")))
    registered_versions.sign(client.get_model_version("lft", "1"))
    with pytest.raises(InputError, match=rf"is refused: its certificate, of {site_authority.REGISTRY} by CN=Authority"):
        load_registered_model(LFT)
    monkeypatch.setenv(signing_keys.TRUSTED_VARIABLE, str(tmp_path / "trusted"))
    path = root.write_certificate(tmp_path / "root.crt")
    signing_keys.trust_authority(path, "hospital", site_authority.REGISTRY)
    with verified_files(LFT, "test") as verified:
        assert str(verified) == f"lft/1, signed by hospital ({site_authority.REGISTRY})"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"version": "2"}, "its files were signed as lft/2, and are not this version's"),
        ({"name": "ssmdp"}, "its files were signed as ssmdp/1"),
        ({"model_id": "m-" + "0" * 32}, "its source is models:/m-.*, and models:/m-0{32} was signed"),
    ],
)
def test_what_was_signed_as_another_version_is_refused(client, files, record, reason):
    registered_versions.sign(client.get_model_version("lft", "1"), **record)
    with pytest.raises(InputError, match=reason):
        load_registered_model(LFT)


def test_a_version_made_of_the_files_of_another_is_refused(client, files):
    version = client.get_model_version("lft", "1")
    more = client.create_model_version("lft", version.source, version.run_id, version.tags)
    elsewhere = client.create_model_version("lft", f"file://{files}", tags=version.tags)
    try:
        with pytest.raises(InputError, match="its files were signed as lft/1, and are not this version's"):
            load_registered_model(f"models:/lft/{more.version}")
        with pytest.raises(InputError, match="its files were signed as lft/1"):
            load_registered_model(f"models:/lft/{elsewhere.version}")
    finally:
        client.delete_model_version("lft", more.version)
        client.delete_model_version("lft", elsewhere.version)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda folder: _change_mlmodel(folder, loader_module="os"), "MLmodel: loader_module: must be mlflow"),
        (lambda folder: _change_mlmodel(folder, python_model="x.pkl"), "python_model: must not be given"),
        (lambda folder: _change_mlmodel(folder, predict_fn="__init__"), "predict_fn: must not be given"),
        (lambda folder: _change_mlmodel(folder, code="artifacts"), "MLmodel: code: must be code"),
        (lambda folder: _change_mlmodel(folder, model_code_path="/x/eeg.py"), "model_code_path: must be a file"),
        (
            lambda folder: _change_mlmodel(folder, artifacts={"lft": {"path": "artifacts/../../../etc"}}),
            "artifacts.lft: must lie in artifacts/",
        ),
        (lambda folder: _append(folder / "lft_pyfunc.py", "print(1)\n"), "as one code runs a version"),
        (lambda folder: (folder / "artifacts/lft/pytorch_model.bin").write_bytes(b"x"), "weights are safetensors"),
        (lambda folder: (folder / "artifacts/lft/x.pkl").write_bytes(b"x"), "weights are safetensors"),
        (lambda folder: (folder / "code/other.py").write_text(""), "code/other.py: has no place in a model"),
    ],
)  # fmt: skip
def test_another_loader_or_a_pickle_is_refused_signed_or_not(client, files, change, reason, capsys):
    change(files)
    registered_versions.sign(client.get_model_version("lft", "1"))
    for unsigned in (False, True):
        with pytest.raises(InputError, match=reason):
            load_registered_model(LFT, unsigned)


def test_what_is_not_verified_is_an_explicit_wish_and_written_down(client, files, capsys):
    _reverse_names(files)
    model = load_registered_model(LFT, unsigned=True, purpose="eeg predict")
    assert model.unwrap_python_model().preprocessing["classes"] == tiny_model.PREPROCESSING.classes[::-1]
    assert "models:/lft/1: is used without being verified (--unsigned)" in capsys.readouterr().err
    assert "eeg predict by " in client.get_model_version("lft", "1").tags["unsigned"]


def test_what_is_loaded_is_what_was_verified(client, files, monkeypatch):
    verify = verified_version.verify_files

    def verify_and_alter(folder, version):
        verified = verify(folder, version)
        _reverse_names(files)  # on the server, once it was verified
        return verified

    monkeypatch.setattr(verified_version, "verify_files", verify_and_alter)
    model = load_registered_model(LFT)
    assert model.unwrap_python_model().preprocessing["classes"] == tiny_model.PREPROCESSING.classes


def test_a_version_runs_its_own_code_beside_the_library_in_use(client, files):
    windows = np.random.default_rng(0).standard_normal((2, 22, 1000)).astype(np.float32)
    same = load_registered_model(LFT).predict(windows)
    lft = files / "code/eegdiffusion/events/models/lft.py"
    source = lft.read_text()
    # The version's logits are others, and a function that is imported late is the version's too.
    _append(
        lft,
        "\n\n_forward = LFT.forward\n\n\ndef forward(self, tokens):\n"
        "    from eegdiffusion.core.runtime import late\n\n    return late.scaled(_forward(self, tokens))\n\n\n"
        "LFT.forward = forward\n",
    )
    (files / "code/eegdiffusion/core/runtime/late.py").write_text(
        "def scaled(logits):\n    if logits.shape[0] == 1:\n"
        "        from eegdiffusion.core.runtime.errors import InputError\n\n"
        "        raise InputError('one window')\n    return 2 * logits\n"
    )
    registered_versions.sign(client.get_model_version("lft", "1"))
    apart = load_registered_model(LFT)
    mixed = sys.modules["eegdiffusion"]
    logits = np.log(same)
    doubled = np.exp(2 * logits) / np.exp(2 * logits).sum(1, keepdims=True)
    assert np.allclose(apart.predict(windows), doubled, atol=1e-5)
    assert np.array_equal(load_registered_model(LFT).predict(windows), apart.predict(windows))
    with pytest.raises(InputError, match="one window"):
        apart.predict(windows[:1])
    assert sys.modules["eegdiffusion"] is mixed is eegdiffusion
    assert not any(name.endswith("runtime.late") for name in sys.modules)
    assert not [path for path in sys.path if "eeg-model-" in path]
    lft.write_text(source)


def test_honest_loads_pass(client, files, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    mlflow.pyfunc.load_model(LFT)  # leaves bytecode and a note in a local store
    assert list(files.rglob("__pycache__"))
    for _ in range(20):
        with verified_files(LFT, "test") as verified:
            assert not list(verified.folder.rglob("__pycache__"))
            assert verified.record.tags == {"corpus": "surrogate"}
    assert load_registered_model("models:/lft@champion").metadata.model_uuid == verified.record.model_id
    assert load_registered_model(f"models:/{verified.record.model_id}").metadata
    assert load_registered_model(str(files)).metadata, "its folder says whose it is"


def test_an_altered_challenger_or_champion_is_not_promoted(client, files, capsys):
    def run(*words):
        promote.main([*words, "lft"], standalone_mode=False)
        return capsys.readouterr()

    client.delete_registered_model_alias("lft", "champion")
    client.set_registered_model_alias("lft", "challenger", "1")
    try:
        client.set_model_version_tag("lft", "1", "cohen_kappa.mean", "0.9")
        said = run().out
        assert "kept: the challenger, version 1, does not verify: its tag 'cohen_kappa.mean' is '0.9'" in said
        assert "champion" not in client.get_registered_model("lft").aliases
        assert client.get_model_version("lft", "1").tags["gate.decision"] == "refused"
        said = run("--unsigned")
        assert "promoted: cohen_kappa 0.9" in said.out
        assert "without being verified" in said.err
        assert "challenger of `eeg promote`" in client.get_model_version("lft", "1").tags["unsigned"]
        tags = {"corpus": "surrogate", "cohen_kappa.mean": "0.99"}
        more = client.create_model_version("lft", "file:///none", tags=tags).version
        client.set_registered_model_alias("lft", "challenger", more)
        assert f"the challenger, version {more}, does not verify: its files cannot be had" in run().out
        assert str(client.get_registered_model("lft").aliases["champion"]) == "1"
    finally:
        client.set_registered_model_alias("lft", "champion", "1")
        for version in client.search_model_versions("name='lft'"):
            if str(version.version) != "1":
                client.delete_model_version("lft", version.version)
        client.delete_registered_model_alias("lft", "challenger")


def test_the_library_in_use_is_known_by_its_bytes(client, files):
    with verified_files(LFT, "test") as verified:
        assert loading.is_library_in_use(verified.folder)
        _append(verified.folder / "code/eegdiffusion/core/runtime/errors.py", "#")
        assert not loading.is_library_in_use(verified.folder)
