"""``docker/compose.yaml`` agrees with the Dockerfile and ``up.sh``, and its Airflow comes up as it is set up there."""

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from tests.containers.engine import ROOT
from tests.mlflow_server import free_port

pytestmark = pytest.mark.timeout(1200)

COMPOSE = ROOT / "docker" / "compose.yaml"
GPU = ROOT / "docker" / "compose.gpu.yaml"
TLS = ROOT / "docker" / "compose.tls.yaml"
SERVICES = yaml.safe_load(COMPOSE.read_text())["services"]
IMAGES = dict(re.findall(r"^(\w+_IMAGE)=(.*)$", (ROOT / "docker" / "images.env").read_text(), re.MULTILINE))


def test_every_setting_is_written_by_up_and_no_secret_stands_in_the_file():
    texts = "".join(file.read_text() for file in (COMPOSE, GPU, TLS))
    used = set(re.findall(r"\$\{([A-Z0-9_]+)(?=\}|:\?)", texts))
    written = set(re.findall(r"^([A-Z0-9_]+)=", (ROOT / "docker" / "up.sh").read_text(), re.MULTILINE))
    assert used
    assert used <= written | IMAGES.keys()
    for name, service in SERVICES.items():
        for variable, value in (service.get("environment") or {}).items():
            if re.search(r"PASSWORD|SECRET|FERNET|CREDENTIALS|_CONN|_JWT", variable) and variable != "EEG_TASK_SECRETS":
                assert re.fullmatch(r"(cat )?/run/secrets/\w+|\d+", value), f"{name}: {variable}"
            assert not re.search(r"://[^/]*:[^/]*@", value), f"{name}: {variable}"
    for name in ("docker/.env", "docker/secrets/postgres"):
        ignored = subprocess.run(["git", "check-ignore", name], cwd=ROOT, capture_output=True)
        assert ignored.returncode == 0, name


def test_no_service_has_more_than_it_needs():
    for name, service in SERVICES.items():
        if "profiles" in service:
            continue
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert service["pids_limit"] <= 1024, name
        assert "privileged" not in service, name
        assert set(service.get("cap_add", [])) <= {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}, name
    with_socket = {name for name, service in SERVICES.items() if "DOCKER_SOCKET" in str(service.get("volumes"))}
    assert with_socket == {"engine-proxy"}
    assert SERVICES["engine-proxy"]["network_mode"] == "none"
    using_proxy = {name for name, service in SERVICES.items() if "engine:/run/engine" in str(service.get("volumes"))}
    assert using_proxy == {"engine-proxy", "airflow-scheduler"}
    tasks = {name for name, service in SERVICES.items() if "tasks" in (service.get("networks") or [])}
    assert tasks == {"task-gate"}
    writable = {
        name
        for name, service in SERVICES.items()
        for volume in service.get("volumes") or []
        if re.fullmatch(r"\$\{EEG_REPOSITORY\}:[^:]*", volume)
    }
    assert not writable, "the repository is read-only"


def test_every_service_is_built_from_a_target_or_pinned_and_lasting_ones_are_watched():
    targets = set(re.findall(r"^FROM \S+ AS (\w+)$", (ROOT / "docker" / "Dockerfile").read_text(), re.MULTILINE))
    for name, service in SERVICES.items():
        if "build" in service:
            assert service["build"]["target"] in targets
            assert service["image"] == f"${{EEG_IMAGE}}-{service['build']['target']}"
        elif service["image"].startswith("${EEG_IMAGE}-"):
            assert service["image"].partition("-")[2] in targets
        else:
            image = IMAGES[re.fullmatch(r"\$\{(\w+):\?\}", service["image"])[1]]
            assert re.fullmatch(r"\S+:[0-9][\w.-]*", image), name
        if service.get("restart") == "unless-stopped":
            assert "healthcheck" in service, name
        for other in service.get("depends_on") or {}:
            assert other in SERVICES
    built = [service["build"]["target"] for service in SERVICES.values() if "build" in service]
    assert sorted(built) == sorted(targets - {"base"}), "two services would label one image in turns"


@pytest.fixture
def up(tmp_path):
    """``up.sh`` up to the point where Docker is called, which is replaced by a command that only prints."""
    repository = tmp_path / "repository"
    (repository / "docker").mkdir(parents=True)
    for name in ("up.sh", "down.sh", "installation.sh", "secrets.sh", "images.env"):
        shutil.copy(ROOT / "docker" / name, repository / "docker" / name)
    (tmp_path / "bin").mkdir()
    # Like the real one, this DVC knows the remote only in the repository.
    dvc = f'test -d docker || exit 253; test "$1" = config && echo s || echo "s {tmp_path}/storage (default)"'
    # The engine has the volumes and publishes the ports that files beside it say.
    known = 'case "$1" in volume | ps | image | pull) cat "$0.$1" 2>/dev/null;; *) echo "docker $*";; esac'
    for name, says in (("docker", known), ("dvc", dvc)):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{says}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "socket").touch()
    variables = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "DOCKER_SOCKET": f"{tmp_path}/socket"}
    variables |= {name: str(free_port()) for name in ("AIRFLOW_PORT", "MLFLOW_PORT")}

    def start(script: str = "up.sh", folder: Path = repository, **shell: str) -> subprocess.CompletedProcess:
        words = ["bash", str(folder / "docker" / script)]
        return subprocess.run(words, env=variables | shell, capture_output=True, text=True)

    return repository, start


def settings_of(repository: Path) -> dict[str, str]:
    lines = (repository / "docker" / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def change(repository: Path, name: str, value: str) -> None:
    file = repository / "docker" / ".env"
    file.write_text(re.sub(rf"^{name}=.*$", f"{name}={value}", file.read_text(), flags=re.MULTILINE))


def test_up_writes_settings_once(up, tmp_path):
    repository, start = up
    starts = []
    for _ in range(2):
        done = start()
        assert done.returncode == 0, done.stderr
        assert "up --detach --wait" in done.stdout, done.stderr
        written = (repository / "docker" / ".env").read_text()
        values = dict(line.split("=", 1) for line in written.splitlines() if not line.startswith("#"))
        assert values["EEG_REPOSITORY"] == str(repository)
        assert values["EEG_MOUNTS"] == f"{tmp_path}/storage"
        assert (tmp_path / "storage").is_dir()
        assert {name: values[name] for name in IMAGES} == IMAGES
        starts.append(written + "".join(secrets_of(repository).values()))
    assert starts[0] == starts[1], "a second start keeps the secrets"
    assert (repository / "docker" / ".env").stat().st_mode & 0o077 == 0


def secrets_of(repository: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((repository / "docker" / "secrets").iterdir())}


def test_each_service_has_a_secret_of_its_own_in_a_folder_of_its_owner(up):
    repository, start = up
    assert start().returncode == 0
    secrets, folder = secrets_of(repository), repository / "docker" / "secrets"
    used = {name for service in SERVICES.values() for name in service.get("secrets") or []}
    assert secrets.keys() == used | {"task_store"}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}
    words = {name: set(re.findall(r"[\w-]{40,}", text)) for name, text in secrets.items()}
    counts = Counter(word for found in words.values() for word in found)
    # A password stands at the one who asks for it and the one who gives it, and nowhere else.
    assert max(counts.values()) == 2
    pairs = {tuple(name for name in words if word in words[name]) for word, count in counts.items() if count == 2}
    assert pairs == {
        ("airflow_connection", "database_airflow"),
        ("database_mlflow", "mlflow_databases"),
        ("store_identities", "store_mlflow"),
        ("store_identities", "store_setup"),
        ("store_identities", "task_store"),
    }
    assert not set().union(*words.values()) & set(re.findall(r"[\w-]{40,}", (repository / "docker/.env").read_text()))
    identities = json.loads(secrets["store_identities"])["identities"]
    assert {one["name"]: one["actions"][0] for one in identities} == {
        "setup": "Admin",
        "dvc": "Read:dvc",
        "mlflow": "Read:mlflow",
    }
    other = {one["name"]: {action.partition(":")[2] for action in one["actions"]} for one in identities[1:]}
    assert other == {"dvc": {"dvc"}, "mlflow": {"mlflow"}}


def test_an_image_is_kept_to_the_digest_that_it_had_first(up, tmp_path):
    repository, start = up
    digest = f"registry.example.org/x@sha256:{'0a' * 32}"
    (tmp_path / "bin" / "docker.image").write_text(f"{digest}\n")
    assert start().returncode == 0
    assert {settings_of(repository)[name] for name in IMAGES} == {digest}


def test_settings_of_an_earlier_version_and_lost_secrets_are_said(up):
    repository, start = up
    assert start().returncode == 0
    (repository / "docker" / "secrets").rename(repository / "docker" / "elsewhere")
    done = start()
    assert done.returncode == 65
    assert "docker/secrets is not" in done.stderr
    with (repository / "docker" / ".env").open("a") as file:
        file.write("POSTGRES_PASSWORD=x\n")
    done = start()
    assert done.returncode == 65
    assert "an earlier version" in done.stderr


@pytest.mark.parametrize("site", ["lab.example.org", "10.0.0.7"])
def test_the_site_has_the_name_that_it_is_given(up, site):
    repository, start = up
    assert start().returncode == 0
    change(repository, "EEG_SITE", site)
    assert start().returncode == 0
    assert secrets_of(repository)["gate_hosts"] == f"{site} 0;"


@pytest.mark.parametrize("site", ["a b", "x;}", "https://lab.example.org", "~.*"])
def test_a_site_that_is_no_name_is_refused(up, site):
    repository, start = up
    assert start().returncode == 0
    change(repository, "EEG_SITE", site)
    done = start()
    assert done.returncode == 65
    assert "EEG_SITE: must be a host's name" in done.stderr


def test_up_writes_no_settings_when_it_could_not_ask_dvc(up, tmp_path):
    repository, start = up
    (tmp_path / "bin" / "dvc").unlink()
    done = start()
    assert done.returncode != 0
    assert "dvc: command not found" in done.stderr
    assert not (repository / "docker" / ".env").exists()


def test_two_clones_share_no_name_and_a_path_through_a_link_is_the_same_clone(up, tmp_path):
    repository, start = up
    other = tmp_path / "other"
    shutil.copytree(repository, other)
    (tmp_path / "link").symlink_to(repository)
    assert start().returncode == start(folder=other).returncode == 0
    one, two = settings_of(repository), settings_of(other)
    for name in ("COMPOSE_PROJECT_NAME", "EEG_IMAGE", "EEG_INSTALLATION"):
        assert one[name] != two[name]
        assert one["EEG_INSTALLATION"] in one[name]
    assert start(folder=tmp_path / "link").returncode == 0


@pytest.mark.parametrize("script", ["up.sh", "down.sh"])
def test_settings_of_another_folder_are_refused_before_anything_starts(up, tmp_path, script):
    repository, start = up
    assert start().returncode == 0
    copy = tmp_path / "copy"
    shutil.copytree(repository, copy)
    done = start(script, copy)
    assert done.returncode == 65
    assert f"EEG_REPOSITORY: names another folder, {repository}" in done.stderr
    assert "remove docker/.env" in done.stderr
    assert "docker" not in done.stdout
    shutil.rmtree(repository)
    done = start(script, copy)
    assert f"names {repository}, which is not there; if it was moved here, set EEG_REPOSITORY={copy}" in done.stderr
    change(copy, "EEG_REPOSITORY", str(copy))
    before = settings_of(copy)
    assert start(script, copy).returncode == 0, "a clone that was moved keeps its services"
    after = settings_of(copy)
    assert after["COMPOSE_PROJECT_NAME"] == before["COMPOSE_PROJECT_NAME"]
    if script == "up.sh":  # the scheduler knows its tasks by the folder that it is in
        assert after["EEG_INSTALLATION"] == sha256(str(copy).encode()).hexdigest()[:8]


def test_the_shells_variables_do_not_come_before_the_settings(up, tmp_path):
    repository, start = up
    (tmp_path / "bin" / "docker").write_text(
        '#!/bin/sh\necho "$1 project ${COMPOSE_PROJECT_NAME-none} folder ${EEG_REPOSITORY-none} key $EEG_SIGNING_KEY"\n'
    )
    assert start().returncode == 0
    shell = {"COMPOSE_PROJECT_NAME": "other", "EEG_REPOSITORY": "/other", "EEG_SIGNING_KEY": "/keys/mine.pem"}
    for script, keys in (("up.sh", "/keys/mine.pem"), ("down.sh", "/keys/mine.pem")):
        done = start(script, **shell)
        assert done.returncode == 0, done.stderr
        assert f"compose project none folder none key {keys}" in done.stdout
        assert "other" not in done.stdout
    change(repository, "EEG_SIGNING_KEY", "/keys/of the site.pem")
    assert "key /keys/mine.pem" not in start(**shell).stdout


@pytest.mark.parametrize("style", ["windows", "quoted"])
def test_settings_may_be_written_as_other_editors_do(up, style):
    repository, start = up
    assert start().returncode == 0
    file = repository / "docker" / ".env"
    if style == "windows":
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    else:
        file.write_text(re.sub(r"^(\w+)=(.+)$", r'\1="\2"', file.read_text(), flags=re.MULTILINE))
    done = start()
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("gpus", "files"),
    [("0", 2), ("0,1", 2), (" 0, GPU-5a1b-2c ,", 2), ("", 1), (" ", 1), (",", 1), ("MIG-7f/1/0", 2)],
)
def test_gpus_are_asked_for_where_some_are_named(up, gpus, files):
    repository, start = up
    assert start().returncode == 0
    change(repository, "EEG_GPUS", gpus)
    done = start()
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "up --detach" in line]
    assert line.count("-f compose") == files


@pytest.mark.parametrize("gpus", ["all", "none", "-1", "0-3", "0 1", "0;1"])
def test_what_is_no_id_of_a_gpu_is_said_before_anything_starts(up, gpus):
    repository, start = up
    assert start().returncode == 0
    change(repository, "EEG_GPUS", gpus)
    done = start()
    assert done.returncode == 65
    assert f"EEG_GPUS: must be ids of GPUs, e.g. 0,1 or GPU-5a1b, or empty (found '{gpus}')" in done.stderr
    assert "docker" not in done.stdout


def test_services_whose_settings_were_lost_can_be_stopped(up, tmp_path):
    repository, start = up
    assert start().returncode == 0
    project = settings_of(repository)["COMPOSE_PROJECT_NAME"]
    (repository / "docker" / ".env").unlink()
    (tmp_path / "bin" / "docker.ps").write_text(f"{project}\n{project}\n")
    done = start("down.sh")
    assert done.returncode == 65
    assert f"docker compose --project-name {project} down" in done.stderr


def test_volumes_whose_settings_were_lost_are_said_before_anything_starts(up, tmp_path):
    repository, start = up
    assert start().returncode == 0
    project = settings_of(repository)["COMPOSE_PROJECT_NAME"]
    (repository / "docker" / ".env").unlink()
    (tmp_path / "bin" / "docker.volume").write_text(f"{project}_postgres\n{project}_store\n")
    done = start()
    assert done.returncode == 65
    assert f"docker volume rm {project}_postgres {project}_store" in done.stderr
    assert "copy it back" in done.stderr
    assert not (repository / "docker" / ".env").exists()
    assert start("down.sh").returncode == 65
    (tmp_path / "bin" / "docker.volume").unlink()
    assert start().returncode == 0


@pytest.mark.parametrize("port", ["abc", "99999", "0", "", "80 80", "-5"])
@pytest.mark.parametrize("name", ["AIRFLOW_PORT", "MLFLOW_PORT"])
def test_a_bad_port_is_said_before_anything_starts(up, name, port):
    repository, start = up
    assert start().returncode == 0
    change(repository, name, port)
    done = start()
    assert done.returncode == 65
    assert f"{name}: must be a port, 1 to 65535 (found '{port}')" in done.stderr
    assert "docker" not in done.stdout


def test_a_port_of_another_program_is_said_and_one_of_the_services_is_not(up, tmp_path):
    repository, start = up
    assert start().returncode == 0
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        change(repository, "MLFLOW_PORT", str(port))
        done = start()
        assert done.returncode == 65
        assert f"MLFLOW_PORT: port {port} is in use by another program" in done.stderr
        (tmp_path / "bin" / "docker.ps").write_text("0a1b2c\n")
        assert start().returncode == 0


def test_no_service_has_a_server_of_logs_and_every_one_carries_the_installation():
    for name, service in SERVICES.items():
        assert service["labels"] == {"eeg.installation": "${EEG_INSTALLATION:-}"}, name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name
    for name in ("scheduler", "triggerer"):
        assert SERVICES[f"airflow-{name}"]["command"] == ["airflow", name, "--skip-serve-logs"]


def test_airflow_is_set_up_with_accounts_and_pools_of_the_hosts_size(engine, image, tmp_path):
    """The services' own set-up script and settings, with SQLite in PostgreSQL's place."""
    name = image("airflow")
    environment = SERVICES["airflow-api"]["environment"] | {
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://localhost:8080/execution/",
        "AIRFLOW__CORE__DAGS_FOLDER": f"{ROOT}/dags",
        "AIRFLOW__API__WORKERS": "1",
        "EEG_REPOSITORY": str(ROOT),
        "EEG_CPUS": "5",
        "EEG_GPUS": "0,1,2",
        "EEG_IMAGE": "x",
    }
    environment = {key: value for key, value in environment.items() if "${" not in value}
    secrets = {
        "airflow_admin": "-let me in",
        "airflow_operator": "and me",
        "airflow_connection": "sqlite:////tmp/airflow.db",
        "airflow_fernet": "81HqDtbqAywKSOumSha3BhWNOdQ26slT6K0YaZeZyPs=",
        "airflow_jwt": "two" * 20,
        "airflow_session": "one",
    }
    for file, secret in secrets.items():
        (tmp_path / file).write_text(secret)
    tmp_path.chmod(0o755)
    container = engine.client.containers.run(
        name,
        ["bash", "-c", f"bash {ROOT}/docker/airflow_setup.sh && exec airflow api-server --port 18080"],
        detach=True,
        network_mode="host",
        environment=environment,
        volumes={
            str(ROOT): {"bind": str(ROOT), "mode": "ro"},
            str(tmp_path): {"bind": "/run/secrets", "mode": "ro"},
        },
    )
    try:
        address, started = "http://localhost:18080", time.monotonic()
        while True:
            time.sleep(2)
            try:
                urllib.request.urlopen(f"{address}/api/v2/version", timeout=5)
                break
            except OSError:
                container.reload()
                running = container.status == "running" and time.monotonic() - started < 600
                assert running, container.logs().decode()[-6000:]
        token = post(f"{address}/auth/token", {"username": "admin", "password": "-let me in"})["access_token"]
        request = urllib.request.Request(f"{address}/api/v2/pools", headers={"Authorization": f"Bearer {token}"})
        pools = {pool["name"]: pool["slots"] for pool in json.load(urllib.request.urlopen(request))["pools"]}
        assert pools["gpu"] == 3
        assert pools["cpu"] == 5
        for name in ("admin", "operator"):
            with pytest.raises(urllib.error.HTTPError, match="401"):
                post(f"{address}/auth/token", {"username": name, "password": "guess"})
        operator = post(f"{address}/auth/token", {"username": "operator", "password": "and me"})["access_token"]
        headers = {"Authorization": f"Bearer {operator}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{address}/api/v2/pools", b'{"name": "p", "slots": 9}', headers)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(request)
    finally:
        container.remove(force=True)


def post(url: str, document: dict) -> dict:
    request = urllib.request.Request(url, json.dumps(document).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=60))
