"""The services of ``docker/compose.yaml`` work together: healthy, for those who have an account, and for tasks."""

import json
import os
import re
import socket
import ssl
import subprocess
import time
from urllib.error import HTTPError

import pytest
import yaml

from tests.containers.engine import ROOT
from tests.containers.stack import IMAGE, USER, Stack
from tests.mlflow_server import free_port

pytestmark = pytest.mark.timeout(2400)

LASTING = {
    "postgres",
    "store",
    "mlflow",
    "gate",
    "task-gate",
    "engine-proxy",
    "airflow-api",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-triggerer",
}

LOG_RUN = """
import mlflow
mlflow.set_experiment("stack")
with mlflow.start_run() as run:
    mlflow.log_metric("kappa", 0.5)
    mlflow.log_text("from outside", "note.txt")
print("RUN", run.info.run_id)
"""

READ_RUN = """
import mlflow, sys
run = mlflow.get_run(sys.argv[1])
print("READ", run.data.metrics["kappa"], mlflow.artifacts.load_text(run.info.artifact_uri + "/note.txt"))
"""


def test_every_lasting_service_is_healthy_and_the_others_are_done(stack):
    states = {name: container.attrs["State"] for name, container in stack.containers().items()}
    assert {name for name, state in states.items() if state["Status"] == "running"} == LASTING
    assert {name: states[name]["Health"]["Status"] for name in LASTING} == dict.fromkeys(LASTING, "healthy")
    assert {states[name]["ExitCode"] for name in ("airflow-setup", "mlflow-setup", "store-setup")} == {0}


def test_the_administrator_sees_dags_and_pools_and_nobody_else_does(stack):
    assert stack.api("importErrors")["total_entries"] == 0
    assert {dag["dag_id"] for dag in stack.api("dags")["dags"]} == {"eeg_ingest", "eeg_promote", "eeg_retrain"}
    pools = {pool["name"]: pool["slots"] for pool in stack.api("pools")["pools"]}
    assert pools["cpu"] == int(stack.settings["EEG_CPUS"])
    assert "gpu" in pools
    with pytest.raises(HTTPError, match="401"):
        stack.call("/auth/token", {"username": "admin", "password": "guess"})


def test_a_run_lies_in_the_database_and_the_store_and_outlives_the_server(stack):
    run = re.search(r"RUN (\w+)", stack.mlflow(LOG_RUN))[1]
    query = f"select key, value from metrics where run_uuid = '{run}'"
    assert stack.inside("postgres", "psql", "-U", "mlflow", "-d", "mlflow", "-Atc", query).strip() == "kappa|0.5"
    listing = (
        "import boto3; print(*[o['Key'] for o in boto3.client('s3').list_objects_v2(Bucket='mlflow')['Contents']])"
    )
    assert f"{run}/artifacts/note.txt" in stack.inside("mlflow", "python", "-c", listing)
    stack.compose("restart", "mlflow")
    stack.compose("up", "--detach", "--wait", "mlflow")
    assert "READ 0.5 from outside" in stack.mlflow(READ_RUN, run)


def test_the_database_is_not_ready_before_it_answers_others(stack, tmp_path):
    """While a script of its first start runs, the server is at its local socket, and is about to stop."""
    service = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"]["postgres"]
    script, password = tmp_path / "slow.sh", tmp_path / "password"
    script.write_text("until [ -e /tmp/go ]; do sleep 0.1; done\n")
    password.write_text("p")
    database = stack.engine.client.containers.run(
        IMAGE["postgres"],
        detach=True,
        environment={"POSTGRES_PASSWORD_FILE": "/run/secrets/postgres"},
        volumes={
            str(script): {"bind": "/docker-entrypoint-initdb.d/slow.sh", "mode": "ro"},
            str(password): {"bind": "/run/secrets/postgres", "mode": "ro"},
        },
    )

    def answers(*words: str) -> bool:
        return database.exec_run(list(words)).exit_code == 0

    def wait(*words: str) -> None:
        started = time.monotonic()
        while not answers(*words):
            assert time.monotonic() - started < 120, database.logs(tail=25).decode()
            time.sleep(0.2)

    healthy = service["healthcheck"]["test"][1:]
    query = ["psql", "--username", "postgres", "--command", "select 1"]
    try:
        wait(*query)
        assert not answers(*healthy)
        assert answers("touch", "/tmp/go")
        wait(*healthy)
        assert answers("env", "PGPASSWORD=p", *query, "--host", "127.0.0.1")
    finally:
        database.remove(force=True, v=True)


def test_the_store_refuses_who_has_not_its_key(stack):
    words = ["python", "-c", "import boto3; boto3.client('s3').list_buckets()"]
    guess = {"AWS_ACCESS_KEY_ID": "mlflow", "AWS_SECRET_ACCESS_KEY": "guess"}
    done = stack.containers()["mlflow"].exec_run(words, environment=guess)
    assert done.exit_code != 0, done.output.decode()[-500:]
    assert b"SignatureDoesNotMatch" in done.output, done.output.decode()[-500:]


def test_a_task_is_a_container_beside_the_services(stack):
    """``eeg_ingest`` on the tiny corpus, whose first look announces it."""
    assert not list((stack.repository / "runs").glob(".corpus*")), "as in a fresh clone"
    stack.api("dags/eeg_retrain", {"is_paused": True}, "PATCH")
    stack.api("dags/eeg_ingest", {"is_paused": False}, "PATCH")
    run = stack.api("dags/eeg_ingest/dagRuns", {"logical_date": "2026-01-01T00:00:00Z"})["dag_run_id"]
    started = time.monotonic()
    while (state := stack.api(f"dags/eeg_ingest/dagRuns/{run}")["state"]) in ("queued", "running"):
        tasks = stack.api(f"dags/eeg_ingest/dagRuns/{run}/taskInstances")["task_instances"]
        late = time.monotonic() - started > 240 or "up_for_retry" in {task["state"] for task in tasks}
        assert not late, log_of(stack, run)
        time.sleep(2)
    assert state == "success", log_of(stack, run)
    kept = stack.repository / "runs" / ".corpus-tuev.json"
    assert kept.stat().st_uid == USER
    assert kept.stat().st_gid == USER
    assert {event["name"] for event in stack.api("assets/events")["asset_events"]} == {"eeg_corpus"}


def log_of(stack: Stack, run: str) -> str:
    lines = stack.api(f"dags/eeg_ingest/dagRuns/{run}/taskInstances/check_corpus/logs/1")["content"]
    return json.dumps(lines)[-6000:]


def test_the_site_is_reached_by_its_name_with_its_certificate(stack, tmp_path):
    name, certificate, key = "lab.example.org", stack.repository / "site.pem", stack.repository / "site.key"
    words = [
        "-subj",
        f"/CN={name}",
        "-addext",
        f"subjectAltName=DNS:{name}",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *words], check=True, capture_output=True
    )
    for file in (certificate, key):
        os.chown(file, USER, USER)
    ports = {"AIRFLOW_TLS_PORT": free_port(), "MLFLOW_TLS_PORT": free_port()}
    stack.set(EEG_SITE=name, EEG_TLS_CERTIFICATE=certificate, EEG_TLS_KEY=key, **ports)
    stack.up()
    trust = ssl.create_default_context(cafile=str(certificate))

    def ask(port: int, path: str, host: str) -> int:
        with trust.wrap_socket(socket.create_connection(("127.0.0.1", port), 30), server_hostname=name) as opened:
            opened.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return int(opened.recv(999).split()[1])

    assert ask(ports["AIRFLOW_TLS_PORT"], "/api/v2/version", f"{name}:8443") == 200
    assert ask(ports["MLFLOW_TLS_PORT"], "/health", name) == 200
    assert ask(ports["MLFLOW_TLS_PORT"], "/api/2.0/mlflow/experiments/get?experiment_id=0", name) == 401
    assert ask(ports["AIRFLOW_TLS_PORT"], "/api/v2/version", "evil.example.org") == 421
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
        ssl.create_default_context().wrap_socket(
            socket.create_connection(("127.0.0.1", ports["AIRFLOW_TLS_PORT"]), 30), server_hostname=name
        )


def test_a_second_start_changes_nothing_and_stopping_keeps_the_data(stack):
    settings = stack.settings
    before = {name: container.id for name, container in stack.containers().items() if name in LASTING}
    assert f"http://localhost:{settings['AIRFLOW_PORT']}" in stack.up()
    assert stack.settings == settings
    after = {name: container.id for name, container in stack.containers().items() if name in LASTING}
    assert after == before, "nothing was started anew"

    run = re.search(r"RUN (\w+)", stack.mlflow(LOG_RUN))[1]
    stack.compose("down", "--timeout", "10")
    assert not stack.containers()
    stack.compose("up", "--detach", "--wait", "gate")
    assert "READ 0.5 from outside" in stack.mlflow(READ_RUN, run)
