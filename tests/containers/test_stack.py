"""All services of ``docker/compose.yaml`` at once, as ``make up`` starts them: a copy of the repository, a real engine.

The operator's user id is one that no image knows. Where a registry is out of reach, two images are stand-ins
(``standins/Dockerfile``), and the output says which.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest
import yaml

from tests.containers.engine import IMAGES, ROOT, Engine
from tests.e2e.workspace import environment, make

pytestmark = pytest.mark.timeout(2400)

PROJECT = "eeg-workflow-test"
USER = 12345
LASTING = {
    "postgres",
    "store",
    "mlflow",
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


@dataclass
class Stack:
    """The services, run from a copy of the repository."""

    engine: Engine
    repository: Path

    @property
    def settings(self) -> dict[str, str]:
        lines = (self.repository / "docker" / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if not line.startswith("#"))

    def up(self, compose: str | None = None) -> str:
        """``docker/up.sh`` with this client of Compose."""
        variables = environment(warm=False) | self.engine.environment
        variables |= {
            "COMPOSE": compose or " ".join(self.engine.compose),
            "COMPOSE_PROJECT_NAME": PROJECT,
            "DOCKER_SOCKET": self.engine.host.removeprefix("unix://"),
            "BASE": self.engine.base or "",
        }
        return output(["bash", str(self.repository / "docker" / "up.sh")], variables)

    def compose(self, *words: str) -> str:
        file = str(self.repository / "docker" / "compose.yaml")
        return output([*self.engine.compose, "--file", file, *words], self.engine.environment)

    def containers(self, **filters) -> dict:
        """Containers of the services by the services' names."""
        labels = [f"com.docker.compose.project={PROJECT}"]
        found = self.engine.client.containers.list(all=True, filters={"label": labels} | filters)
        return {container.labels["com.docker.compose.service"]: container for container in found}

    def inside(self, service: str, *words: str) -> str:
        done = self.containers()[service].exec_run(list(words))
        assert done.exit_code == 0, done.output.decode()
        return done.output.decode()

    def mlflow(self, script: str, *arguments: str) -> str:
        variables = environment(warm=False) | {
            "MLFLOW_TRACKING_URI": f"http://localhost:{self.settings['MLFLOW_PORT']}",
            # Presigned addresses of the store are for the services' network.
            "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
        }
        return output([sys.executable, "-c", script, *arguments], variables)

    def call(self, path: str, body: dict | None = None, token: str | None = None, method: str | None = None):
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"http://localhost:{self.settings['AIRFLOW_PORT']}{path}", data, headers, method=method)
        with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
            return json.load(answer)

    def api(self, path: str, body: dict | None = None, method: str | None = None):
        """Airflow's API, as the administrator."""
        login = {"username": "admin", "password": self.settings["AIRFLOW_PASSWORD"]}
        return self.call(f"/api/v2/{path}", body, self.call("/auth/token", login)["access_token"], method)


def output(words: list[str], variables: dict[str, str]) -> str:
    done = subprocess.run(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-8000:]}"
    return done.stdout


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


@pytest.fixture(scope="module")
def stack(engine, image, tmp_path_factory, request):
    for target in ("data", "train", "airflow", "mlflow"):
        image(target)
    services = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"]
    said = []
    for target in ("postgres", "store"):
        name = services[target]["image"]
        there = engine.has(name)
        if not there:
            engine.stand_in(name, target)
        said.append(f"{name}: {'the published image' if there else 'a stand-in, see tests/containers/standins'}")
    root = tmp_path_factory.mktemp("stack")
    repository = make(root / "repository")
    made = Stack(engine, repository)
    made.up(compose="true")  # writes docker/.env, as what follows is set there
    settings = {
        "EEG_UID": USER,
        "EEG_GID": USER,
        "EEG_IMAGE": IMAGES,
        "AIRFLOW_PORT": free_port(),
        "MLFLOW_PORT": free_port(),
    }
    file = repository / "docker" / ".env"
    text = file.read_text()
    for name, value in settings.items():
        text = re.sub(rf"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
    file.write_text(text)
    subprocess.run(["chown", "-R", f"{USER}:{USER}", str(repository), made.settings["EEG_MOUNTS"]], check=True)
    for folder in (root, *root.parents):  # pytest's folders are for their owner only
        with suppress(PermissionError):
            os.chmod(folder, folder.stat().st_mode | 0o011)
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("", *said, sep="\n")
    try:
        made.up()
        yield made
    finally:
        for name, container in made.containers().items():
            log = container.logs(tail=25).decode()
            print(f"==== {name} {container.status}\n{log}")
        made.compose("down", "--volumes", "--timeout", "5")


def test_every_lasting_service_is_healthy_and_the_others_are_done(stack):
    states = {name: container.attrs["State"] for name, container in stack.containers().items()}
    assert {name for name, state in states.items() if state["Status"] == "running"} == LASTING
    assert {name: states[name]["Health"]["Status"] for name in LASTING} == dict.fromkeys(LASTING, "healthy")
    assert states["airflow-setup"]["ExitCode"] == states["store-setup"]["ExitCode"] == 0


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
    assert stack.inside("postgres", "psql", "-U", "airflow", "-d", "mlflow", "-Atc", query).strip() == "kappa|0.5"
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
    script = tmp_path / "slow.sh"
    script.write_text("until [ -e /tmp/go ]; do sleep 0.1; done\n")
    database = stack.engine.client.containers.run(
        service["image"],
        detach=True,
        environment={"POSTGRES_USER": "airflow", "POSTGRES_PASSWORD": "p", "POSTGRES_DB": "airflow"},
        volumes={str(script): {"bind": "/docker-entrypoint-initdb.d/slow.sh", "mode": "ro"}},
    )

    def answers(*words: str) -> bool:
        return database.exec_run(list(words)).exit_code == 0

    def wait(*words: str) -> None:
        started = time.monotonic()
        while not answers(*words):
            assert time.monotonic() - started < 120, database.logs(tail=25).decode()
            time.sleep(0.2)

    healthy = service["healthcheck"]["test"][1:]
    query = ["psql", "--username", "airflow", "--dbname", "airflow", "--command", "select 1"]
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
    done = stack.containers()["mlflow"].exec_run(words, environment={"AWS_SECRET_ACCESS_KEY": "guess"})
    assert done.exit_code != 0, done.output.decode()[-500:]
    assert b"SignatureDoesNotMatch" in done.output, done.output.decode()[-500:]


def test_a_task_is_a_container_beside_the_services(stack):
    """``eeg_ingest`` on the tiny corpus, whose first look announces it."""
    assert not (stack.repository / "runs").exists(), "as in a fresh clone"
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


def test_a_second_start_changes_nothing_and_stopping_keeps_the_data(stack):
    settings = stack.settings
    before = {name: container.id for name, container in stack.containers().items() if name in LASTING}
    assert f"http://localhost:{settings['AIRFLOW_PORT']}" in stack.up()
    assert stack.settings == settings
    after = {name: container.id for name, container in stack.containers().items() if name in LASTING}
    assert after == before, "nothing was started anew"

    stack.compose("down", "--timeout", "10")
    assert not stack.containers()
    stack.compose("up", "--detach", "--wait", "mlflow")
    run = stack.inside(
        "postgres", "psql", "-U", "airflow", "-d", "mlflow", "-Atc", "select run_uuid from metrics where key = 'kappa'"
    )
    assert "READ 0.5 from outside" in stack.mlflow(READ_RUN, run.strip().splitlines()[0])
