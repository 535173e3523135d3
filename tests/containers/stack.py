"""All services of ``docker/compose.yaml`` at once, as ``make up`` starts them: a copy of the repository, a real engine.

The operator's user id is one that no image knows. Where a registry is out of reach, three images are stand-ins
(``standins/Dockerfile``), and the output says which.
"""

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

from tests.containers.engine import IMAGES, ROOT, Engine
from tests.e2e.workspace import environment, make
from tests.mlflow_server import free_port

PROJECT = "eeg-workflow-test"
USER = 12345

IMAGE = {
    name.lower(): image
    for name, image in re.findall(r"^(\w+)_IMAGE=(.*)$", (ROOT / "docker" / "images.env").read_text(), re.MULTILINE)
}
"""Images that are not built from the repository, by what they are for."""


@dataclass
class Stack:
    """The services, run from a copy of the repository."""

    engine: Engine
    repository: Path

    @property
    def settings(self) -> dict[str, str]:
        lines = (self.repository / "docker" / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if not line.startswith("#"))

    def set(self, **settings: object) -> None:
        """Change settings of ``docker/.env``, and add those that it lacks."""
        file = self.repository / "docker" / ".env"
        lines = [line for line in file.read_text().splitlines() if line.partition("=")[0] not in settings]
        file.write_text("\n".join([*lines, *(f"{name}={value}" for name, value in settings.items()), ""]))

    def secret(self, name: str) -> str:
        """A file of ``docker/secrets``."""
        return (self.repository / "docker" / "secrets" / name).read_text()

    def account(self, name: str) -> tuple[str, str]:
        """User and password of MLflow: of the administrator ``mlflow_accounts``, or of ``task_mlflow``."""
        words = dict(re.findall(r"^(?:mlflow_tracking_|admin_)?(user\w*|password) = (.*)$", self.secret(name), re.M))
        return words["username"], words["password"]

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

    def mlflow(self, script: str, *arguments: str, account: str = "mlflow_accounts") -> str:
        """Run a script with a client of the tracking server, outside of the containers."""
        user, password = self.account(account)
        variables = environment(warm=False) | {
            "MLFLOW_TRACKING_URI": f"http://localhost:{self.settings['MLFLOW_PORT']}",
            "MLFLOW_TRACKING_USERNAME": user,
            "MLFLOW_TRACKING_PASSWORD": password,
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

    def api(self, path: str, body: dict | None = None, method: str | None = None, account: str = "admin"):
        """Airflow's API."""
        login = {"username": account, "password": self.secret(f"airflow_{account}").strip()}
        return self.call(f"/api/v2/{path}", body, self.call("/auth/token", login)["access_token"], method)


def output(words: list[str], variables: dict[str, str]) -> str:
    done = subprocess.run(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-8000:]}"
    return done.stdout


@contextmanager
def running(engine: Engine, root: Path):
    """Bring all services up in a folder, and take them down again.

    Args:
        engine: the engine, which has the images of the repository.
        root: a new folder.
    """
    said = []
    for target in ("postgres", "store", "gate"):
        name = IMAGE[target]
        there = engine.has(name)
        if not there:
            engine.stand_in(name, target)
        said.append(f"{name}: {'the published image' if there else 'a stand-in, see tests/containers/standins'}")
    repository = make(root / "repository")
    made = Stack(engine, repository)
    made.up(compose="true")  # writes docker/.env, as what follows is set there
    ports = {"AIRFLOW_PORT": free_port(), "MLFLOW_PORT": free_port()}
    made.set(EEG_UID=USER, EEG_GID=USER, EEG_IMAGE=IMAGES, **ports)
    subprocess.run(["chown", "-R", f"{USER}:{USER}", str(repository), made.settings["EEG_MOUNTS"]], check=True)
    for folder in (root, *root.parents):  # pytest's folders are for their owner only
        with suppress(PermissionError):
            os.chmod(folder, folder.stat().st_mode | 0o011)
    print("", *said, sep="\n", file=sys.__stderr__)
    try:
        made.up()
        yield made
    finally:
        for name, container in made.containers().items():
            log = container.logs(tail=25).decode()
            print(f"==== {name} {container.status}\n{log}")
        made.compose("down", "--volumes", "--timeout", "5")
