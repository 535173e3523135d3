"""Addresses of models that are not there are refused, with what there is."""

import re
import shutil

import mlflow
import pytest

from eegdiffusion.commands import registered_models
from eegdiffusion.commands.registered_models import address, generator_address
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.operations.registry.load_registered_model import load_registered_model
from eegdiffusion.operations.registry.model_address import registered_version, require_model
from eegdiffusion.operations.registry.registered_names import require_registered
from tests.commands.test_app import timed
from tests.e2e.workspace import ROOT


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A registry with three models: lft has versions 1 and 2, champion and challenger; the others have none."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('registry')}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient()
    for name in ("lft", "ssmdp", "condiffusion", "sgdm-controlnet"):
        client.create_registered_model(name)
    for alias in ("champion", "challenger"):
        version = client.create_model_version("lft", "file:///none").version
        client.set_registered_model_alias("lft", alias, version)
    return uri


@pytest.fixture
def client(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    mlflow.set_tracking_uri(store)
    return mlflow.MlflowClient()


def test_what_is_there_is_returned(client):
    assert registered_version("models:/lft@champion").version == 1
    assert registered_version("models:/lft/2").version == 2
    assert registered_version("models:/lft/latest").version == 2


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("models:/lfd@champion", r"there is no model lfd; there are condiffusion, .*, ssmdp; did you mean 'lft'\?"),
        ("models:/nope/3", "there is no model nope; there are condiffusion, lft, sgdm-controlnet, ssmdp"),
        (
            "models:/lft@champon",
            r"lft has no alias champon; it has versions 1, 2 and aliases challenger \(version 2\), champion "
            r"\(version 1\); did you mean 'champion'",
        ),
        ("models:/lft/999", "lft has no version 999; it has versions 1, 2 and aliases"),
        ("models:/lft/Production", "lft has no version Production; it has versions 1, 2"),
        ("models:/ssmdp@champion", "ssmdp has no alias champion; it has versions none and aliases none"),
        ("models:/ssmdp/latest", "ssmdp has no version latest; it has versions none"),
        ("models:/lft", "must be models:/NAME@ALIAS or models:/NAME/VERSION"),
        ("models:/lft@", "must be models:/NAME@ALIAS or models:/NAME/VERSION"),
        ("models:/lft/1/2", "must be models:/NAME@ALIAS or models:/NAME/VERSION"),
        ("models:/", "must be models:/NAME@ALIAS or models:/NAME/VERSION"),
        ("models:/m-0123456789abcdef0123456789abcdef", "there is no model that can be read"),
        ("runs:/0123456789abcdef0123456789abcdef/lft", "there is no model that can be read"),
        ("file:///nowhere/model", "there is no model that can be read"),
        ("nowhere/model", "must be models:/NAME@ALIAS, models:/NAME/VERSION, runs:/RUN/PATH, or the folder of a saved"),
        ("lft@champion", "must be models:/NAME@ALIAS"),
        ("", "must be models:/NAME@ALIAS"),
    ],
)
def test_what_is_not_there_is_refused_with_what_there_is(client, uri, message):
    with pytest.raises(InputError, match=rf"^--model: {re.escape(uri) or 'empty'}: .*{message}") as refused:
        load_registered_model(uri)
    if " has no " in message or "there is no model n" in message or "there is no model l" in message:
        with pytest.raises(InputError) as at_once:  # the same, without MLflow
            require_registered(uri, "--model")
        assert str(at_once.value) == str(refused.value)
    else:  # which MLflow is to say
        require_registered(uri, "--model")


@pytest.mark.parametrize(
    "words",
    [
        ["serve", "lfd"],
        ["reproduce", "lfd"],
        ["export", "lfd", "exported"],
        ["predict", "recordings", "--model", "lfd", "--out", "results"],
        ["generate", "epochs.npy", "--model", "lfd", "--out", "pictures"],
        ["evaluate", "lfd", "--store", "store"],
        ["example", "epochs", "epochs.npy", "--model", "lfd"],
    ],
)
def test_a_wrong_name_is_answered_within_a_second(words, store, tmp_path):
    for folder in ("recordings", "store"):
        (tmp_path / folder).mkdir()
    for file in ("epochs.npy", "store/store.json"):
        (tmp_path / file).touch()
    (tmp_path / "mlruns").mkdir()
    shutil.copy(store.removeprefix("sqlite:///"), tmp_path / "mlruns/mlflow.db")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    status, seconds, imported = timed(*words, cwd=tmp_path)
    assert status == 65
    assert "mlflow" not in imported
    assert seconds < 1


def test_what_a_local_store_has_is_known_without_mlflow(client, store, tmp_path, monkeypatch):
    for uri in ("models:/lft@champion", "models:/lft/2", "models:/lft/latest"):
        require_registered(uri, "MODEL")
    # A server, and a file that is no store, are MLflow's to ask.
    (tmp_path / "other.db").write_text("no database")
    for other in ("http://localhost:1", f"sqlite:///{tmp_path}/other.db"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", other)
        require_registered("models:/nope/3", "MODEL")
    copy = f"sqlite:///{shutil.copy(store.removeprefix('sqlite:///'), tmp_path / 'copy.db')}"
    mlflow.MlflowClient(copy).delete_model_version("lft", "2")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", copy)
    with pytest.raises(InputError, match="MODEL: models:/lft/2: lft has no version 2; it has versions 1 and aliases"):
        require_registered("models:/lft/2", "MODEL")


def test_a_registry_without_models_says_what_adds_them(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(InputError, match=r"the registry sqlite:///.*empty\.db holds no model yet; `eeg register` adds"):
        require_model("models:/lft@champion", "MODEL")


@pytest.mark.parametrize(
    ("given", "uri"),
    [
        ("lft", "models:/lft@champion"),
        ("lft/2", "models:/lft/2"),
        ("lft@challenger", "models:/lft@challenger"),
        ("models:/lft/2", "models:/lft/2"),
    ],
)
def test_a_short_name_stands_for_an_address(given, uri):
    assert address(given) == uri


def test_the_generator_taken_is_a_champion_or_else_a_challenger(client, capsys):
    with pytest.raises(InputError, match=r"holds no generator of images \(condiffusion, sgdm-controlnet\)"):
        generator_address()
    for name, alias, taken, told in (
        ("sgdm-controlnet", "challenger", "models:/sgdm-controlnet@challenger", True),
        ("condiffusion", "challenger", "models:/condiffusion@challenger", True),
        ("sgdm-controlnet", "champion", "models:/sgdm-controlnet@champion", False),
        ("condiffusion", "champion", "models:/condiffusion@champion", False),
    ):
        version = client.create_model_version(name, "file:///none").version
        client.set_registered_model_alias(name, alias, version)
        assert generator_address() == taken
        assert ("no generator has passed the registry's gate" in capsys.readouterr().err) is told


def test_outside_of_a_clone_a_registry_must_be_named(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    for ask in (generator_address, lambda: registered_models.load_classifier("lft")):
        with pytest.raises(InputError, match="no registry is known outside of a clone; set MLFLOW_TRACKING_URI"):
            ask()


def test_a_local_store_that_is_not_there_yet_is_said_without_mlflow(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(InputError, match=r"none\.db holds no model yet; `eeg register`"):
        require_registered("models:/lft@champion", "MODEL")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
    require_registered("models:/lft@champion", "MODEL")
