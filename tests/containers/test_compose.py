"""``docker/compose.yaml`` agrees with the Dockerfile and ``up.sh``, and its Airflow comes up as it is set up there."""

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from tests.containers.engine import ROOT
from tests.mlflow_server import free_port

pytestmark = pytest.mark.timeout(1200)

COMPOSE = ROOT / "docker" / "compose.yaml"
GPU = ROOT / "docker" / "compose.gpu.yaml"
SERVICES = yaml.safe_load(COMPOSE.read_text())["services"]


def test_every_setting_is_written_by_up_and_no_secret_stands_in_the_file():
    used = set(re.findall(r"\$\{([A-Z0-9_]+)(?=\})", COMPOSE.read_text() + GPU.read_text()))
    used |= set(re.findall(r"\$\{([A-Z0-9_]+):\?", COMPOSE.read_text() + GPU.read_text()))
    written = set(re.findall(r"^([A-Z0-9_]+)=", (ROOT / "docker" / "up.sh").read_text(), re.MULTILINE))
    assert used
    assert used <= written
    for service in SERVICES.values():
        for name, value in (service.get("environment") or {}).items():
            if re.search(r"PASSWORD|SECRET|FERNET", name):
                assert re.fullmatch(r"\$\{[A-Z0-9_]+(:\?.*)?\}", value), name
    ignored = subprocess.run(["git", "check-ignore", "docker/.env"], cwd=ROOT, capture_output=True)
    assert ignored.returncode == 0


def test_every_service_is_built_from_a_target_or_pinned_and_lasting_ones_are_watched():
    targets = set(re.findall(r"^FROM \S+ AS (\w+)$", (ROOT / "docker" / "Dockerfile").read_text(), re.MULTILINE))
    for name, service in SERVICES.items():
        if "build" in service:
            assert service["build"]["target"] in targets
            assert service["image"] == f"${{EEG_IMAGE}}-{service['build']['target']}"
        elif service["image"].startswith("${EEG_IMAGE}-"):
            assert service["image"].partition("-")[2] in targets
        else:
            assert re.fullmatch(r"\S+:[0-9][\w.-]*", service["image"]), name
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
    for name in ("up.sh", "down.sh", "installation.sh"):
        shutil.copy(ROOT / "docker" / name, repository / "docker" / name)
    (tmp_path / "bin").mkdir()
    # Like the real one, this DVC knows the remote only in the repository.
    dvc = f'test -d docker || exit 253; test "$1" = config && echo s || echo "s {tmp_path}/storage (default)"'
    # The engine has the volumes and publishes the ports that files beside it say.
    known = 'case "$1" in volume | ps) cat "$0.$1" 2>/dev/null;; *) echo "docker $*";; esac'
    for name, says in (("docker", known), ("dvc", dvc)):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{says}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "socket").touch()
    variables = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "DOCKER_SOCKET": f"{tmp_path}/socket"}
    variables |= {name: str(free_port()) for name in ("AIRFLOW_PORT", "MLFLOW_PORT")}

    def start(script: str = "up.sh", folder: Path = repository) -> subprocess.CompletedProcess:
        words = ["bash", str(folder / "docker" / script)]
        return subprocess.run(words, env=variables, capture_output=True, text=True)

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
        secrets = [values[name] for name in values if re.search(r"PASSWORD|SECRET|FERNET", name)]
        assert len(set(secrets)) == len(secrets) == 6
        assert min(map(len, secrets)) > 40
        starts.append(written)
    assert starts[0] == starts[1], "a second start keeps the secrets"
    assert (repository / "docker" / ".env").stat().st_mode & 0o077 == 0


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
    assert start(script, copy).returncode == 0, "a clone that was moved keeps its services"


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


def test_airflow_is_set_up_with_an_administrator_and_pools_of_the_hosts_size(engine, image):
    """The services' own set-up script and settings, with SQLite in PostgreSQL's place."""
    name = image("airflow")
    environment = SERVICES["airflow-api"]["environment"] | {
        "AIRFLOW__CORE__FERNET_KEY": "81HqDtbqAywKSOumSha3BhWNOdQ26slT6K0YaZeZyPs=",
        "AIRFLOW__API__SECRET_KEY": "one",
        "AIRFLOW__API_AUTH__JWT_SECRET": "two" * 20,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////tmp/airflow.db",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://localhost:8080/execution/",
        "AIRFLOW__CORE__DAGS_FOLDER": f"{ROOT}/dags",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW_PASSWORD": "-let me in",
        "EEG_REPOSITORY": str(ROOT),
        "EEG_CPUS": "5",
        "EEG_GPUS": "0,1,2",
        "EEG_IMAGE": "x",
    }
    environment = {key: value for key, value in environment.items() if "${" not in value}
    container = engine.client.containers.run(
        name,
        ["bash", "-c", f"bash {ROOT}/docker/airflow_setup.sh && exec airflow api-server --port 18080"],
        detach=True,
        network_mode="host",
        environment=environment,
        volumes={str(ROOT): {"bind": str(ROOT), "mode": "ro"}},
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
        with pytest.raises(urllib.error.HTTPError, match="401"):
            post(f"{address}/auth/token", {"username": "admin", "password": "guess"})
    finally:
        container.remove(force=True)


def post(url: str, document: dict) -> dict:
    request = urllib.request.Request(url, json.dumps(document).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=60))
