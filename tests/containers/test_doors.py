"""Knocks on the running services as those would who should not come in: nothing is read, written or run."""

import json
import socket
import stat
import textwrap
import uuid
from base64 import b64encode
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.containers.stack import USER, Stack

pytestmark = pytest.mark.timeout(2400)

SERVICES = ("airflow-api", "airflow-dag-processor", "airflow-scheduler", "airflow-triggerer")


class Door:
    """A published port of the stack."""

    def __init__(self, stack: Stack, name: str):
        self.port = int(stack.settings[f"{name}_PORT"])

    def ask(self, method: str, path: str, body=None, headers: dict | None = None, account=None) -> tuple[int, bytes]:
        """Send one request, its path as it is written, and return status and body of the answer."""
        headers = dict(headers or {})
        if isinstance(body, dict):
            body, headers["Content-Type"] = json.dumps(body), "application/json"
        if account:
            headers["Authorization"] = "Basic " + b64encode(":".join(account).encode()).decode()
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body is not None and "Content-Length" not in headers:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body.encode() if isinstance(body, str) else body)
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.fixture(scope="module")
def mlflow(stack):
    return Door(stack, "MLFLOW")


@pytest.fixture(scope="module")
def airflow(stack):
    return Door(stack, "AIRFLOW")


@pytest.fixture(scope="module")
def admin(stack):
    return stack.account("mlflow_accounts")


@pytest.fixture(scope="module")
def tasks(stack):
    return stack.account("task_mlflow")


@pytest.fixture(scope="module")
def run(mlflow, admin):
    """A run of the administrator's with an artifact: its experiment, its id, and the artifact's path."""
    api = "/api/2.0/mlflow"
    _, body = mlflow.ask("POST", f"{api}/experiments/create", {"name": f"theirs-{uuid.uuid4().hex}"}, account=admin)
    experiment = json.loads(body)["experiment_id"]
    _, body = mlflow.ask("POST", f"{api}/runs/create", {"experiment_id": experiment}, account=admin)
    run_id = json.loads(body)["run"]["info"]["run_id"]
    path = f"{experiment}/{run_id}/artifacts/model.txt"
    url = f"/api/2.0/mlflow-artifacts/artifacts/{path}"
    assert mlflow.ask("PUT", url, "the model", account=admin)[0] == 200
    assert mlflow.ask("GET", url, account=admin) == (200, b"the model")
    return experiment, run_id, path


JOB = {"job_name": "invoke_scorer", "params": {}}

WITHOUT_ACCOUNT = [
    ("POST", "/api/2.0/mlflow/experiments/search", {"max_results": 5}),
    ("GET", "/api/2.0/mlflow/experiments/get?experiment_id=0", None),
    ("POST", "/api/2.0/mlflow/experiments/create", {"name": "intruder"}),
    ("POST", "/api/2.0/mlflow/runs/search", {"experiment_ids": ["0"]}),
    ("POST", "/ajax-api/2.0/mlflow/experiments/search", {"max_results": 5}),
    ("GET", "/api/2.0/mlflow/registered-models/search", None),
    ("POST", "/api/2.0/mlflow/registered-models/create", {"name": "intruder"}),
    ("GET", "/api/2.0/mlflow-artifacts/artifacts", None),
    ("PUT", "/api/2.0/mlflow-artifacts/artifacts/intruder", "x"),
    ("DELETE", "/api/2.0/mlflow-artifacts/artifacts/{path}", None),
    ("POST", "/api/2.0/mlflow-artifacts/mpu/create/{path}", {"path": "model.txt", "num_parts": 1}),
    ("POST", "/graphql", {"query": "{ mlflowSearchRuns { runs { info { runId } } } }"}),
    ("POST", "/api/2.0/mlflow/users/create", {"username": "intruder", "password": "intruder-intruder"}),
    ("GET", "/api/2.0/mlflow/users/list", None),
    ("GET", "/signup", None),
    ("GET", "/get-artifact?path=model.txt&run_uuid={run}", None),
    ("GET", "/metrics", None),
    # CVE-2026-0545 and CVE-2026-2652: jobs and traces, of which the accounts did not know.
    ("POST", "/ajax-api/3.0/jobs/", JOB),
    ("POST", "/ajax-api/3.0/jobs", JOB),
    ("POST", "/ajax-api/3.0/jobs/search", {}),
    ("GET", "/ajax-api/3.0/jobs/1", None),
    ("PATCH", "/ajax-api/3.0/jobs/cancel/1", None),
    ("POST", "/ajax-api//3.0/jobs/", JOB),
    ("POST", "/x/../ajax-api/3.0/jobs/", JOB),
    ("POST", "/ajax-api/3.0/%6aobs/", JOB),
    ("POST", "/static-files/../ajax-api/3.0/jobs/", JOB),
    ("POST", "/health/../ajax-api/3.0/jobs/", JOB),
    ("POST", "/v1/traces", {"resourceSpans": []}),
    ("POST", "/health/../v1/traces", {"resourceSpans": []}),
    ("GET", "/ajax-api/3.0/mlflow/gateway/endpoints/list", None),
    ("POST", "/gateway/x/mlflow/invocations", {}),
]


@pytest.mark.parametrize("account", [None, ("admin", "password1234"), ("tasks", "")])
def test_mlflow_tells_and_does_nothing_without_an_account(mlflow, admin, run, account):
    for method, path, body in WITHOUT_ACCOUNT:
        status, said = mlflow.ask(method, path.format(run=run[1], path=run[2]), body, account=account)
        assert status in (401, 403, 404, 405), (method, path, said[:300])
        assert run[1].encode() not in said, (method, path)
    assert mlflow.ask("GET", f"/api/2.0/mlflow-artifacts/artifacts/{run[2]}", account=admin) == (200, b"the model")
    for kind in ("experiments", "registered-models"):
        _, found = mlflow.ask("GET", f"/api/2.0/mlflow/{kind}/search?max_results=99", account=admin)
        assert b"intruder" not in found, kind
    _, users = mlflow.ask("GET", "/api/2.0/mlflow/users/list", account=admin)
    assert b"intruder" not in users


WITH_THE_TASKS_ACCOUNT = [
    ("POST", "/api/2.0/mlflow/users/create", {"username": "intruder", "password": "intruder-intruder"}),
    ("PATCH", "/api/2.0/mlflow/users/update-password", {"username": "admin", "password": "intruder-intruder"}),
    ("PATCH", "/api/2.0/mlflow/users/update-admin", {"username": "tasks", "is_admin": True}),
    ("POST", "/api/2.0/mlflow/experiments/delete", {"experiment_id": "{experiment}"}),
    ("POST", "/api/2.0/mlflow/runs/log-metric", {"run_id": "{run}", "key": "kappa", "value": 1, "timestamp": 1}),
    ("POST", "/api/2.0/mlflow/runs/delete", {"run_id": "{run}"}),
    ("PUT", "/api/2.0/mlflow-artifacts/artifacts/{path}", "another model"),
    ("DELETE", "/api/2.0/mlflow-artifacts/artifacts/{path}", None),
    # CVE-2026-2651: parts of an upload were written over artifacts of others.
    ("POST", "/api/2.0/mlflow-artifacts/mpu/create/{path}", {"path": "model.txt", "num_parts": 1}),
    ("POST", "/ajax-api/2.0/mlflow-artifacts/mpu/create/{path}", {"path": "model.txt", "num_parts": 1}),
    ("POST", "/api/2.0/mlflow-artifacts/mpu/complete/{path}", {"path": "model.txt", "upload_id": "x", "parts": []}),
    ("POST", "/api/2.0/mlflow-artifacts/mpu/abort/{path}", {"path": "model.txt", "upload_id": "x"}),
    ("POST", "/ajax-api/3.0/jobs/", JOB),
]


def test_the_account_of_the_tasks_does_not_change_what_others_have(mlflow, admin, tasks, run):
    experiment, run_id, artifact = run
    words = {"{experiment}": experiment, "{run}": run_id}
    for method, path, document in WITH_THE_TASKS_ACCOUNT:
        body = document
        if isinstance(document, dict):
            body = {
                name: words.get(value, value) if isinstance(value, str) else value for name, value in document.items()
            }
        status, said = mlflow.ask(method, path.format(path=artifact), body, account=tasks)
        assert status == 403, (method, path, said[:300])
    assert mlflow.ask("GET", f"/api/2.0/mlflow-artifacts/artifacts/{artifact}", account=admin) == (200, b"the model")
    _, text = mlflow.ask("GET", f"/api/2.0/mlflow/runs/get?run_id={run_id}", account=admin)
    found = json.loads(text)["run"]
    assert found["info"]["lifecycle_stage"] == "active"
    assert not found["data"].get("metrics")


def test_the_account_of_the_tasks_does_what_tasks_do(stack):
    """Log a run with an artifact, register a version and make it the champion."""
    script = """
    import mlflow, uuid
    name = f"model-{uuid.uuid4().hex}"
    client = mlflow.MlflowClient()
    mlflow.set_experiment(name)
    with mlflow.start_run() as run:
        mlflow.log_metric("kappa", 0.5)
        mlflow.log_text("x" * 100, "model/weights.txt")
    client.create_registered_model(name)
    version = client.create_model_version(name, run.info.artifact_uri + "/model", run.info.run_id)
    client.set_registered_model_alias(name, "champion", version.version)
    print("CHAMPION", client.get_model_version_by_alias(name, "champion").version)
    """
    assert "CHAMPION 1" in stack.mlflow(textwrap.dedent(script), account="task_mlflow")


TRAVERSAL = [
    "/api/2.0/mlflow-artifacts/artifacts/../../../../etc/passwd",
    "/api/2.0/mlflow-artifacts/artifacts/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/api/2.0/mlflow-artifacts/artifacts/..%2f..%2f..%2fetc/passwd",
    "/api/2.0/mlflow-artifacts/artifacts/%252e%252e%252f%252e%252e%252fetc/passwd",
    "/api/2.0/mlflow-artifacts/artifacts//etc/passwd",
    "/api/2.0/mlflow-artifacts/artifacts/file:///etc/passwd",
    "/api/2.0/mlflow-artifacts/artifacts?path=../../../../etc",
    "/get-artifact?" + urlencode({"path": "../../../../../../etc/passwd", "run_uuid": "{run}"}, safe="{}"),
    "/get-artifact?" + urlencode({"path": "/etc/passwd", "run_uuid": "{run}"}, safe="{}"),
    "/static-files/../../../../../etc/passwd",
    "/static-files/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/health/../../../../../etc/passwd",
]


@pytest.mark.parametrize("path", TRAVERSAL)
def test_no_path_leads_out_of_the_artifacts(mlflow, admin, run, path):
    status, said = mlflow.ask("GET", path.format(run=run[1]), account=admin)
    assert b"root:" not in said, (status, said[:300])
    assert b"shadow" not in said


@pytest.mark.parametrize("location", ["file:///etc", "/etc", "file:///run/secrets", "s3://dvc", "http://postgres/x"])
def test_an_experiment_or_version_elsewhere_shows_no_file_of_the_server(mlflow, tasks, location):
    document = {"name": f"elsewhere-{uuid.uuid4().hex}", "artifact_location": location}
    status, said = mlflow.ask("POST", "/api/2.0/mlflow/experiments/create", document, account=tasks)
    read = b""
    if status == 200:
        experiment = json.loads(said)["experiment_id"]
        _, said = mlflow.ask("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": experiment}, account=tasks)
        run_id = json.loads(said)["run"]["info"]["run_id"]
        for path in ("passwd", "../../passwd", "mlflow_accounts", "../../mlflow_accounts"):
            query = urlencode({"path": path, "run_uuid": run_id})
            read += mlflow.ask("GET", f"/get-artifact?{query}", account=tasks)[1]
            read += mlflow.ask("GET", f"/api/2.0/mlflow/artifacts/list?run_id={run_id}&path={path}", account=tasks)[1]
    name = f"elsewhere-{uuid.uuid4().hex}"
    mlflow.ask("POST", "/api/2.0/mlflow/registered-models/create", {"name": name}, account=tasks)
    version = {"name": name, "source": location}
    status, said = mlflow.ask("POST", "/api/2.0/mlflow/model-versions/create", version, account=tasks)
    if status == 200:
        for path in ("passwd", "mlflow_accounts"):
            query = urlencode({"path": path, "name": name, "version": 1})
            read += mlflow.ask("GET", f"/model-versions/get-artifact?{query}", account=tasks)[1]
    assert b"root:" not in read
    assert b"admin_password" not in read


def test_airflow_tells_and_does_nothing_without_an_account(airflow, stack):
    before = stack.api("dags/eeg_retrain/dagRuns")["total_entries"]
    for method, path, body in [
        ("GET", "/api/v2/dags", None),
        ("GET", "/api/v2/connections", None),
        ("GET", "/api/v2/variables", None),
        ("GET", "/api/v2/config", None),
        ("GET", "/api/v2/eventLogs", None),
        ("GET", "/ui/config", None),
        ("POST", "/api/v2/dags/eeg_retrain/dagRuns", {"logical_date": None}),
        ("PATCH", "/api/v2/dags/eeg_retrain", {"is_paused": True}),
        ("DELETE", "/api/v2/dags/eeg_retrain", None),
        ("GET", "/auth/fab/v1/users", None),
        ("POST", "/auth/fab/v1/users", {"username": "intruder", "password": "x"}),
        ("POST", "/execution/task-instances/00000000-0000-0000-0000-000000000000/heartbeat", {}),
        ("GET", "/x/../execution/connections/x", None),
        ("GET", "/execution/variables/x", None),
    ]:
        status, said = airflow.ask(method, path, body)
        assert status in (401, 403, 404), (method, path, said[:300])
    for password in ("admin", "", "airflow"):
        status, _ = airflow.ask("POST", "/auth/token", {"username": "admin", "password": password})
        assert status in (400, 401, 422)
    assert stack.api("dags/eeg_retrain/dagRuns")["total_entries"] == before


def test_the_operator_runs_dags_and_is_no_administrator(airflow, stack):
    login = {"username": "operator", "password": stack.secret("airflow_operator").strip()}
    token = json.loads(airflow.ask("POST", "/auth/token", login)[1])["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert airflow.ask("GET", "/api/v2/dags", headers=headers)[0] == 200
    pause = {"is_paused": bool(stack.api("dags/eeg_ingest")["is_paused"])}
    assert airflow.ask("PATCH", "/api/v2/dags/eeg_ingest", pause, headers)[0] == 200
    for method, path, body in [
        ("POST", "/api/v2/pools", {"name": "mine", "slots": 9}),
        ("GET", "/api/v2/connections", None),
        ("POST", "/api/v2/connections", {"connection_id": "mine", "conn_type": "http"}),
        ("GET", "/api/v2/variables", None),
        ("POST", "/api/v2/variables", {"key": "mine", "value": "x"}),
        ("GET", "/api/v2/config", None),
        ("GET", "/auth/fab/v1/users", None),
        ("PATCH", "/auth/fab/v1/users/operator", {"roles": [{"name": "Admin"}]}),
    ]:
        status, said = airflow.ask(method, path, body, headers)
        assert status in (403, 405), (method, path, said[:300])


@pytest.mark.parametrize(
    "host", ["evil.example.org", "evil.example.org:5000", "localhost.evil.example.org", "10.0.0.1"]
)
@pytest.mark.parametrize("door", ["airflow", "mlflow"])
def test_a_foreign_host_is_refused(request, admin, door, host):
    status, said = request.getfixturevalue(door).ask("GET", "/version", headers={"Host": host}, account=admin)
    assert status == 421, said[:300]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.org"},
        {"Origin": "http://localhost.evil.example.org"},
        {"Origin": "http://localhost@evil.example.org"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_page_of_another_site_does_nothing_in_the_name_of_the_person(mlflow, airflow, admin, stack, headers):
    """Its browser would send the account along."""
    document = {"name": f"cross-{uuid.uuid4().hex}"}
    status, said = mlflow.ask("POST", "/ajax-api/2.0/mlflow/experiments/create", document, headers, admin)
    assert status == 403, said[:300]
    _, found = mlflow.ask("POST", "/api/2.0/mlflow/experiments/search", {"max_results": 999}, account=admin)
    assert document["name"].encode() not in found
    login = {"username": "admin", "password": stack.secret("airflow_admin").strip()}
    assert airflow.ask("POST", "/auth/token", login, headers)[0] == 403


def test_a_page_of_this_site_is_answered(mlflow, admin):
    for origin in (f"http://localhost:{mlflow.port}", f"http://127.0.0.1:{mlflow.port}"):
        headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
        status, said = mlflow.ask("POST", "/ajax-api/2.0/mlflow/experiments/search", {"max_results": 1}, headers, admin)
        assert status == 200, said[:300]


def test_uploads_without_end_are_refused_before_they_are_read(mlflow, airflow, admin):
    for door, path, size in [
        (mlflow, "/api/2.0/mlflow/runs/log-batch", 33 * 2**20),
        (mlflow, "/api/2.0/mlflow-artifacts/artifacts/x", 17 * 2**30),
        (airflow, "/api/v2/dags/eeg_retrain/dagRuns", 5 * 2**20),
        (airflow, "/auth/token", 5 * 2**20),
    ]:
        status, said = door.ask("PUT", path, b"", {"Content-Length": str(size)}, admin)
        assert status == 413, (path, said[:300])
    # Without an account, not even what is allowed in size.
    status, said = mlflow.ask("PUT", "/api/2.0/mlflow-artifacts/artifacts/x", b"", {"Content-Length": str(2**30)})
    assert status == 401, said[:300]


def test_models_are_fetched_into_folders_to_which_nobody_else_writes(monkeypatch, tmp_path):
    """CVE-2026-4137: others could change a model between its download and its use."""
    import mlflow.pyfunc
    from mlflow.utils import file_utils

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    for folder in (mlflow.pyfunc._create_model_downloading_tmp_dir(False), file_utils.get_or_create_tmp_dir()):
        assert stat.S_IMODE(Path(folder).stat().st_mode) & 0o027 == 0, folder


def test_a_service_has_no_capability_and_cannot_write_to_its_image(stack):
    script = "grep -E '^(CapEff|NoNewPrivs)' /proc/1/status; touch /x /etc/x /usr/x 2>&1; true"
    for name, container in stack.containers().items():
        if container.status != "running":
            continue
        said = container.exec_run(["sh", "-c", script]).output.decode()
        assert "NoNewPrivs:\t1" in said, name
        assert said.count("Read-only file system") + said.count("Permission denied") >= 3, (name, said)
        if name not in ("postgres", "store"):
            assert "CapEff:\t0000000000000000" in said, name
        assert container.attrs["HostConfig"]["PidsLimit"] == 1024, name


def test_no_secret_stands_in_what_the_engine_tells_of_a_container(stack):
    folder = stack.repository / "docker" / "secrets"
    secrets = {
        word
        for path in folder.iterdir()
        for word in path.read_text().replace('"', " ").replace("=", " ").split()
        if len(word) > 40
    }
    assert len(secrets) > 10
    for name, container in stack.containers().items():
        told = json.dumps(container.attrs)
        assert not [word for word in secrets if word in told], name
        words = container.top()["Processes"] if container.status == "running" else []
        assert not [word for word in secrets if word in json.dumps(words)], name


def test_airflow_does_not_see_the_secrets_of_others(stack):
    repository = stack.repository
    for service in SERVICES:
        script = f"cat {repository}/docker/secrets/*; ls -A {repository}/docker/secrets; true"
        said = stack.inside(service, "sh", "-c", script)
        assert all(line.endswith(("denied", "No such file or directory")) for line in said.splitlines()), said
        held = set(stack.inside(service, "ls", "/run/secrets").split())
        assert held == {"airflow_connection", "airflow_fernet", "airflow_jwt", "airflow_session"}
    for service in set(SERVICES) - {"airflow-scheduler"}:
        done = stack.containers()[service].exec_run(["ls", "/run/engine", "/var/run/docker.sock"])
        assert done.exit_code != 0, service


def test_a_role_of_the_database_is_of_one_service_and_no_superuser(stack):
    query = "select rolname, rolsuper, rolcreaterole, rolcreatedb from pg_roles where rolname in ('airflow', 'mlflow')"
    said = stack.inside("postgres", "psql", "-U", "postgres", "-Atc", query).split()
    assert sorted(said) == ["airflow|f|f|f", "mlflow|f|f|f"]
    script = """
    import sys, psycopg2
    for words in ("service=mlflow", "service=mlflow dbname=airflow", "service=mlflow dbname=postgres",
                  "service=mlflow user=airflow", "service=mlflow user=postgres", "host=postgres user=postgres"):
        try:
            psycopg2.connect(words).close()
            print("IN", words)
        except psycopg2.OperationalError as error:
            print("OUT", words, error)
    """
    said = stack.inside("mlflow", "python", "-c", textwrap.dedent(script))
    assert [line for line in said.splitlines() if line.startswith("IN")] == ["IN service=mlflow"], said


def test_a_key_of_the_store_opens_one_bucket(stack):
    script = """
    import boto3
    for bucket in ("mlflow", "dvc"):
        for call in ("list_objects_v2", "put_object", "delete_object", "create_multipart_upload"):
            words = {} if call == "list_objects_v2" else {"Key": "x"}
            try:
                getattr(boto3.client("s3"), call)(Bucket=bucket, **words)
                print("IN", bucket, call)
            except Exception as error:
                print("OUT", bucket, call, error)
    """
    said = stack.inside("mlflow", "python", "-c", textwrap.dedent(script))
    lines = said.splitlines()
    assert len([line for line in lines if line.startswith("IN mlflow")]) == 4, said
    assert len([line for line in lines if line.startswith("OUT dvc") and "AccessDenied" in line]) == 4, said


TASK = """
import json, os, pathlib, socket, subprocess
from concurrent.futures import ThreadPoolExecutor
repository = os.environ["EEG_REPOSITORY"]

def reaches(door):
    host, port = door
    try:
        socket.create_connection((host, port), timeout=3).close()
        return True
    except OSError:
        return False

def reads(path):
    try:
        pathlib.Path(path).read_bytes()
        return True
    except OSError:
        return False

def writes(path):
    try:
        pathlib.Path(path).write_text("x")
        return True
    except OSError:
        return False

status = pathlib.Path("/proc/self/status").read_text()
with ThreadPoolExecutor(100) as pool:
    reached = [door for door, found in zip(DOORS, pool.map(reaches, DOORS)) if found]
print("TOLD", json.dumps({
    "user": os.getuid(),
    "capabilities": status.partition("CapEff:")[2].split()[0],
    "no_new_privileges": status.partition("NoNewPrivs:")[2].split()[0],
    "reached": reached,
    "read": [name for name in READ if reads(f"{repository}/{name}")],
    "written": [name for name in WRITTEN if writes(f"{repository}/{name}")],
    "entries": sorted(os.listdir(repository)),
    "sockets": [path for path in ("/var/run/docker.sock", "/run/engine/docker.sock") if os.path.exists(path)],
    "git": subprocess.run(["git", "log", "-1", "--format=%s"], cwd=repository, capture_output=True, text=True).stdout,
    "remotes": subprocess.run(["git", "remote", "-v"], cwd=repository, capture_output=True, text=True).stdout,
    "environment": sorted(name for name in os.environ if any(part in name for part in ("PASSWORD", "SECRET", "KEY"))),
    "answers": {name: subprocess.run(["python", "-c", text], capture_output=True, text=True).stderr[-200:]
                for name, text in CALLS.items()},
}))
"""

CALLS = {
    "own bucket": "import boto3; c = boto3.client('s3'); c.put_object(Bucket='dvc', Key='x'); "
    "c.list_objects_v2(Bucket='dvc')",
    "bucket of MLflow": "import boto3; boto3.client('s3').list_objects_v2(Bucket='mlflow')",
    "new bucket": "import boto3; boto3.client('s3').create_bucket(Bucket='mine')",
    "tracking": "import mlflow; mlflow.search_experiments()",
}

READ = [
    "params.yaml",
    "docker/.env",
    "docker/secrets/postgres",
    "docker/secrets/airflow_admin",
    "docker/compose.yaml",
    "dags/eeg_retrain.py",
    ".git/hooks/pre-commit.sample",
    ".airflow/airflow.db",
]
WRITTEN = [
    "runs/.knocked",
    ".dvc/cache/knocked",
    "dvc.yaml",
    "dags/x.py",
    "docker/x",
    ".git/x",
    "data/x",
    "x",
    ".dvc/x",
]

OPERATOR = """
import sys
from datetime import datetime
sys.path.append({dags!r})
from _operators import operator
from _plan import Task
from _settings import Settings
from airflow.sdk import DAG
settings = Settings()
with DAG("one", schedule=None, start_date=datetime(2026, 1, 1)):
    task = operator(Task("knock", ("python", "-c", {script!r}), settings.repository, image="train"), settings)
task.execute({{"run_id": "knock"}})
"""


@pytest.fixture(scope="module")
def told(stack):
    """What a hostile task finds out, run as the scheduler runs tasks."""
    ports = (22, 5000, 5432, 8080, 8081, 8333, 8888, 9333, 8793, 8794, 18080, 18333, 18888, 19333, 8999)
    doors = [("127.0.0.1", 1)]
    for container in stack.containers().values():
        for network in container.attrs["NetworkSettings"]["Networks"].values():
            if network["IPAddress"]:
                doors += [(network["IPAddress"], port) for port in ports]
    named = ("postgres", "airflow-api", "airflow-scheduler", "mlflow", "store", "gate", "host.docker.internal")
    doors += [(name, port) for name in named for port in ports]
    head = f"READ, WRITTEN, CALLS, DOORS = {READ!r}, {WRITTEN!r}, {CALLS!r}, {doors!r}\n"
    script = OPERATOR.format(dags=f"{stack.repository}/dags", script=head + TASK)
    said = stack.inside("airflow-scheduler", "python", "-c", script)
    line = next(line for line in said.splitlines() if "TOLD " in line)
    found, _ = json.JSONDecoder().raw_decode(line.partition("TOLD ")[2])
    gate = stack.containers()["task-gate"].attrs["NetworkSettings"]["Networks"]
    (found["gate"],) = (network["IPAddress"] for name, network in gate.items() if name.endswith("-tasks"))
    return found


def test_a_task_reaches_mlflow_and_its_bucket_and_no_other_service(told):
    reached = {tuple(door) for door in told["reached"]}
    assert reached == {
        ("mlflow", 5000),
        ("mlflow", 8333),
        ("store", 5000),
        ("store", 8333),
        (told["gate"], 5000),
        (told["gate"], 8333),
    }
    assert told["answers"]["own bucket"] == ""
    assert told["answers"]["tracking"] == ""
    assert "AccessDenied" in told["answers"]["bucket of MLflow"]
    assert "AccessDenied" in told["answers"]["new bucket"]


def test_a_task_reads_the_repository_and_writes_runs_and_data_alone(told, stack):
    assert told["read"] == ["params.yaml"]
    assert told["written"] == ["runs/.knocked", ".dvc/cache/knocked"]
    assert not {"dags", "docker", ".airflow", ".work"} & set(told["entries"])
    assert told["git"] == "start\n", "git works, on a mirror"
    assert told["remotes"].replace("origin", "").split() == []
    assert (stack.repository / "runs" / ".knocked").is_file()


def test_a_task_has_no_privilege_no_socket_and_no_secret_in_its_environment(told):
    assert told["user"] == USER
    assert told["capabilities"].strip("0") == ""
    assert told["no_new_privileges"] == "1"
    assert told["sockets"] == []
    assert told["environment"] == []


def test_the_scheduler_has_tasks_run_and_is_not_root_of_the_host(stack):
    script = """
    import docker
    client = docker.DockerClient(base_url="unix:///run/engine/docker.sock")
    client.ping()
    for what in ({"privileged": True}, {"volumes": {"/": {"bind": "/host", "mode": "rw"}}}, {"network_mode": "host"}):
        try:
            client.containers.run(IMAGE, "id", **what)
            print("IN", what)
        except docker.errors.APIError as error:
            print("OUT", what, error)
    """
    image = stack.settings["EEG_IMAGE"] + "-train"
    said = stack.inside("airflow-scheduler", "python", "-c", f"IMAGE = {image!r}\n" + textwrap.dedent(script))
    assert said.count("OUT") == 3, said
    assert "IN" not in said.split(), said


def test_only_the_gates_ports_are_open_on_the_host(stack):
    published = {
        (name, binding["HostIp"])
        for name, container in stack.containers().items()
        for bindings in (container.attrs["NetworkSettings"]["Ports"] or {}).values()
        for binding in bindings or []
    }
    assert published == {("gate", "127.0.0.1")}
    for port in (8333, 8888, 9333, 5432):
        with socket.socket() as opened:
            assert opened.connect_ex(("127.0.0.1", port)) != 0, port
