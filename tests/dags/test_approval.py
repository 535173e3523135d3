"""With ``EEG_APPROVAL`` no model becomes champion before a person says so: real Airflow, its API, a real registry."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow
import pytest
import yaml

from tests import registered_versions
from tests.dags.airflow_home import ROOT, start, stub
from tests.predict import tiny_model

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def airflow(tmp_path_factory, migrated):
    root = tmp_path_factory.mktemp("approval")
    repository = stub(root / "repository", "stages: {}\n", "matrix: {labels: [recorded]}\n")
    entry = yaml.safe_load((ROOT / "mlflow" / "registry.yaml").read_text())["lft"]
    (repository / "mlflow" / "registry.yaml").write_text(yaml.safe_dump({"lft": entry}))
    (repository / "mlruns").mkdir()
    return start(root / "home", repository, migrated)


@pytest.fixture(scope="module")
def client(airflow):
    mlflow.set_tracking_uri(f"sqlite:///{airflow.repository}/mlruns/mlflow.db")
    mlflow.create_experiment(
        "finetune_lft", artifact_location=(airflow.repository / "mlruns" / "finetune_lft").as_uri()
    )
    mlflow.set_experiment("finetune_lft")
    return mlflow.MlflowClient()


@pytest.fixture(scope="module")
def api(airflow):
    """Calls the API of a real server, as an administrator."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True"}
    words = [str(Path(sys.executable).parent / "airflow"), "api-server", "--port", str(port), "--workers", "1"]
    with (airflow.home / "api.log").open("w") as log:
        process = subprocess.Popen(
            words, cwd=airflow.home, env=airflow.environment | settings, stdout=log, stderr=log, start_new_session=True
        )

    def call(path, method="GET", body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v2{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    deadline = time.monotonic() + 180
    while True:
        try:
            call("/monitor/health")
            break
        except (urllib.error.URLError, OSError):
            log = (airflow.home / "api.log").read_text()
            assert process.poll() is None, log[-3000:]
            assert time.monotonic() < deadline, log[-3000:]
            time.sleep(0.3)
    yield call
    os.killpg(process.pid, signal.SIGTERM)  # it has workers
    process.wait()


def test_a_challenger_becomes_champion_when_a_person_approves_and_not_before(airflow, api, client, tmp_path):
    tags = {"cohen_kappa.mean": "0.5", "corpus": "surrogate", "split_hash": "s1"}
    with mlflow.start_run():
        version = registered_versions.register("lft", tiny_model.write(tmp_path / "lft"), tags).version
    client.set_registered_model_alias("lft", "challenger", version)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(airflow.dag, "eeg_promote", EEG_APPROVAL="1")
        while not (asked := api("/dags/~/dagRuns/~/hitlDetails?response_received=false")["hitl_details"]):
            assert not running.done(), running.result()["log"][-6000:]
            time.sleep(0.3)
        aliases = client.get_registered_model("lft").aliases
        assert "proposed" in aliases
        assert "champion" not in aliases
        assert asked[0]["options"] == ["Approve", "Reject"]
        assert "propose" in asked[0]["body"]
        run = asked[0]["task_instance"]["dag_run_id"]
        approve = f"/dags/eeg_promote/dagRuns/{run}/taskInstances/approve"
        # An answer that came before the task has come to rest would not wake it; no person is that quick.
        while api(approve)["state"] not in ("awaiting_input", "deferred"):
            time.sleep(0.3)
        api(f"{approve}/-1/hitlDetails", "PATCH", {"chosen_options": ["Approve"]})
        found = running.result()
    assert found["tasks"] == dict.fromkeys(("propose", "approve", "promote"), "success"), found["log"][-6000:]
    aliases = client.get_registered_model("lft").aliases
    assert aliases["champion"] == version
    assert "proposed" not in aliases
