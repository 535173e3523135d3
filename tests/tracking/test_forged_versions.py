"""Who reaches an MLflow server over HTTP, without an account, cannot have a model of theirs loaded or promoted."""

import mlflow
import pytest
import requests

from eegdiffusion.commands.predict import command as predict
from eegdiffusion.commands.promote import command as promote
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.operations.registry.load_registered_model import load_registered_model
from eegdiffusion.operations.registry.model_address import registered_version
from eegdiffusion.operations.registry.verified_version import fetch_version
from tests import registered_versions
from tests.mlflow_server import Server
from tests.predict import tiny_model

TAGS = {"corpus": "surrogate", "cohen_kappa.mean": "0.5", "split_hash": "s"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server, monkeypatch):
    """A client of the server that needs no account; the registry has a signed champion."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    mlflow.set_tracking_uri(server.uri)
    mlflow.set_experiment("finetune_lft")
    client = mlflow.MlflowClient()
    with mlflow.start_run():
        version = registered_versions.register("lft", tiny_model.write(server.folder / "lft"), TAGS)
    client.set_registered_model_alias("lft", "champion", version.version)
    return client


def test_a_forged_champion_is_neither_loaded_nor_promoted(server, client, tmp_path, capsys):
    honest = client.get_model_version_by_alias("lft", "champion")
    assert load_registered_model("models:/lft@champion").metadata.model_uuid == honest.source.removeprefix("models:/")

    # Its files with a line of code, as another logged model that becomes a version and the champion.
    ran = tmp_path / "ran"
    line = f"open({str(ran)!r}, 'w').close()\n"
    forged_files = tmp_path / "forged"
    forged_files.mkdir()
    fetch_version(honest, forged_files)
    served = forged_files / "lft_pyfunc.py"
    served.write_text(line + served.read_text())
    model = client.create_logged_model(client.get_run(honest.run_id).info.experiment_id, name="lft")
    client.log_model_artifacts(model.model_id, str(forged_files))
    client.finalize_logged_model(model.model_id, "READY")
    forged = client.create_model_version("lft", f"models:/{model.model_id}", tags=honest.tags, model_id=model.model_id)
    api = f"{server.uri}/api/2.0/mlflow/registered-models/alias"
    for alias in ("champion", "challenger"):
        body = {"name": "lft", "alias": alias, "version": forged.version}
        assert requests.post(api, json=body, timeout=30).ok, "no account is asked for"

    words = [str(tiny_model.EDF), "--out", str(tmp_path / "events.csv"), "--model", "lft"]
    with pytest.raises(InputError, match=r"models:/lft@champion: is refused: .*altered: lft_pyfunc\.py"):
        predict.main(words, standalone_mode=False)
    client.set_registered_model_alias("lft", "champion", honest.version)
    promote.main(["lft"], standalone_mode=False)
    assert f"the challenger, version {forged.version}, does not verify" in capsys.readouterr().out
    assert client.get_model_version_by_alias("lft", "champion").version == honest.version
    assert not ran.exists()

    # The champion's own files, changed where they lie.
    both = tmp_path / "both"
    for place in (both, both / "code/eegdiffusion/events/serving"):
        place.mkdir(parents=True)
        (place / served.name).write_text(served.read_text())
    client.log_model_artifacts(honest.source.removeprefix("models:/"), str(both))
    with pytest.raises(InputError, match=r"is refused: .*altered: code/eegdiffusion/events/serving/lft_pyfunc\.py"):
        load_registered_model("models:/lft@champion")
    assert not ran.exists()
    # What it would do, were it not verified: an explicit wish, which the results and the registry tell of.
    predict.main([*words, "--unsigned"], standalone_mode=False)
    said = capsys.readouterr()
    assert "NOT verified (--unsigned)" in said.out
    assert "is used without being verified" in said.err
    assert ran.exists(), "without being verified it would run"


def test_a_signature_copied_to_another_version_is_refused(client):
    honest = registered_version("models:/lft@champion")
    more = client.create_model_version(
        "lft", honest.source, tags=honest.tags, model_id=honest.source.removeprefix("models:/")
    )
    with pytest.raises(InputError, match=f"were signed as lft/{honest.version}, and are not this version's"):
        load_registered_model(f"models:/lft/{more.version}")
