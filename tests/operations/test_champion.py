"""The alias ``champion`` in a real registry: promoted, refused, proposed and approved, rolled back, retired."""

import mlflow
import pytest

from eegdiffusion.commands.promote import command
from eegdiffusion.core.runtime.errors import InputError, UnavailableError
from eegdiffusion.events.results import champion_predictions


def main(words):
    """Run `eeg promote` on versions without files, which cannot be signed; return its status or raise its error."""
    return command.main([*words, "--unsigned"], standalone_mode=False)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("registry") / "mlflow.db"
    mlflow.set_tracking_uri(f"sqlite:///{path}")
    mlflow.MlflowClient().search_registered_models()  # sets up the database
    return f"sqlite:///{path}"


@pytest.fixture
def client(store, monkeypatch, tmp_path):
    """A registry in which ``lft`` has no version."""
    monkeypatch.setattr(champion_predictions, "CHAMPIONS", tmp_path / "champions")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    client = mlflow.MlflowClient()
    client.create_registered_model("lft")
    yield client
    client.delete_registered_model("lft")


def challenge(client, kappa, corpus="surrogate", split="s1"):
    """Add a version as challenger."""
    tags = {"cohen_kappa.mean": str(kappa), "corpus": corpus, "split_hash": split}
    version = client.create_model_version("lft", "file:///none", tags=tags).version
    client.set_registered_model_alias("lft", "challenger", version)
    return version


def champion(client):
    return client.get_registered_model("lft").aliases.get("champion")


def tags(client, version):
    return client.get_model_version("lft", version).tags


def test_the_best_becomes_champion_and_a_refused_one_says_why(client, capsys):
    challenge(client, 0.1)
    assert main(["lft"]) == 0
    assert champion(client) is None
    assert "cohen_kappa threshold = 0.2" in tags(client, 1)["gate"]
    assert tags(client, 1)["gate.decision"] == "refused"
    challenge(client, 0.5)
    main(["lft"])
    assert str(champion(client)) == "2"
    assert tags(client, 2)["gate.decision"] == "promoted"
    challenge(client, 0.505)
    main(["lft"])
    assert str(champion(client)) == "2"
    assert "minimum absolute change" in tags(client, 3)["gate"]
    challenge(client, 0.9, split="s2")
    main(["lft"])
    assert str(champion(client)) == "2"
    assert "another split" in tags(client, 4)["gate"]
    challenge(client, 0.4, corpus="TUEV", split="s3")
    main(["lft"])
    assert str(champion(client)) == "5", "real data come first"
    challenge(client, 0.9)
    main(["lft"])
    assert str(champion(client)) == "5"
    assert "trained on surrogate data" in tags(client, 6)["gate"]
    assert tags(client, 2)["champion.until"] == tags(client, 5)["champion.since"]
    assert capsys.readouterr().out.count("promoted") == 2


def test_a_rollback_restores_the_former_champion_and_keeps_the_history(client):
    for kappa in (0.3, 0.4, 0.5):
        challenge(client, kappa)
        main(["lft"])
    main(["--rollback", "lft"])
    assert str(champion(client)) == "2"
    assert "to version 2" in tags(client, 3)["rolled_back"]
    assert "champion.until" in tags(client, 3)
    assert "from version 3" in tags(client, 2)["restored"]
    assert "champion.until" not in tags(client, 2)
    main(["lft"])
    assert str(champion(client)) == "2", "what was rolled back does not come back by itself"
    assert "was rolled back" in tags(client, 3)["gate"]
    main(["--rollback", "lft"])
    assert str(champion(client)) == "1"
    with pytest.raises(InputError, match="version 1 replaced no champion"):
        main(["--rollback", "lft"])


def test_a_former_champion_that_is_gone_is_named(client):
    for kappa in (0.3, 0.4):
        challenge(client, kappa)
        main(["lft"])
    client.delete_model_version("lft", "1")
    with pytest.raises(InputError, match=r"lft: version 1, the former champion: .*not found"):
        main(["--rollback", "lft"])
    assert str(champion(client)) == "2"


def test_after_a_champion_is_retired_the_floor_alone_decides(client):
    challenge(client, 0.9)
    main(["lft"])
    challenge(client, 0.3, split="s2")
    main(["--retire", "lft"])
    assert champion(client) is None
    assert "retired" in tags(client, 1)
    with pytest.raises(InputError, match="there is no champion"):
        main(["--retire", "lft"])
    main(["lft"])
    assert str(champion(client)) == "2"


def test_only_what_was_proposed_is_promoted_after_approval(client):
    assert main(["--propose", "lft"]) == 99, "nothing to approve"
    challenge(client, 0.1)
    assert main(["--propose", "lft"]) == 99
    assert tags(client, 1)["gate.decision"] == "refused"
    challenge(client, 0.5)
    assert main(["--propose", "lft"]) == 0
    assert champion(client) is None
    client.set_registered_model_alias("lft", "challenger", "1")
    assert main(["--propose", "lft"]) == 99  # the answer about version 2 was no, or never came
    main(["--approved", "lft"])
    assert champion(client) is None
    client.set_registered_model_alias("lft", "challenger", "2")
    assert main(["--propose", "lft"]) == 0
    challenge(client, 0.6)  # came in while a person was looking at version 2
    main(["--approved", "lft"])
    assert str(champion(client)) == "2"
    assert tags(client, 2)["gate.decision"] == "promoted"
    main(["--approved", "lft"])
    assert str(champion(client)) == "2"
    assert "proposed" not in client.get_registered_model("lft").aliases


def test_a_server_that_does_not_answer_is_no_registry_without_champion(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("EEG_TRACKING_WAIT_SECONDS", "0")
    with pytest.raises(UnavailableError, match=r"http://127\.0\.0\.1:9 did not answer"):
        main(["lft"])
