"""A container engine for the tests: the Docker of this machine, or podman with its Docker-compatible socket."""

import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import docker
from docker.errors import DockerException

ROOT = Path(__file__).parents[2]
BASE = "localhost/eeg-workflow-base"
IMAGES = "localhost/eeg-workflow-test"
LIMITS = """[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
"""


@dataclass
class Engine:
    """An engine behind a Docker socket.

    Attributes:
        host: address of the socket.
        podman: whether podman is behind it.
        environment: for podman's and buildah's commands.
    """

    host: str
    podman: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def client(self) -> docker.DockerClient:
        return docker.DockerClient(base_url=self.host, timeout=600)

    def build(self, target: str) -> str:
        """Build a target of ``docker/Dockerfile``, and name its image."""
        name = f"{IMAGES}-{target}"
        arguments = ["--target", target, "--tag", name, "--file", "docker/Dockerfile", "."]
        if not self.podman:
            self._run("docker", "--host", self.host, "build", *arguments)
            return name
        if not self.client.images.list(BASE):
            self._run("docker/base.sh", BASE)
        build = ["buildah", "bud", "--isolation", "chroot", "--format", "docker", "--layers"]
        self._run(*build, "--build-arg", f"BASE={BASE}", *arguments)
        return name

    def run(self, image: str, *words: str, **options) -> str:
        """Run a command in a new container, and return what it printed."""
        return self.client.containers.run(image, list(words), remove=True, stderr=True, **options).decode()

    def _run(self, *words: str) -> None:
        done = subprocess.run(
            words,
            cwd=ROOT,
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-6000:]}"


@contextmanager
def engine(folder: Path):
    """Find Docker's socket, or start podman's service with its socket in ``folder``."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if _answers(host):
        yield Engine(host)
        return
    missing = [name for name in ("podman", "buildah", "runc", "debootstrap") if not shutil.which(name)]
    if missing:
        raise RuntimeError(f"no Docker engine answers at {host}, and {', '.join(missing)} are not installed")
    # The system's own limits may be more than a container can be given.
    (folder / "containers.conf").write_text(LIMITS)
    environment = {"CONTAINERS_CONF": str(folder / "containers.conf")}
    host = f"unix://{folder}/podman.sock"
    service = subprocess.Popen(["podman", "system", "service", "--time=0", host], env=os.environ | environment)
    try:
        started = time.monotonic()
        while not _answers(host):
            if service.poll() is not None or time.monotonic() - started > 60:
                raise RuntimeError(f"podman's service does not answer at {host}")
            time.sleep(0.2)
        yield Engine(host, podman=True, environment=environment)
    finally:
        service.terminate()
        service.wait(30)


def _answers(host: str) -> bool:
    try:
        return docker.DockerClient(base_url=host, timeout=5).ping()
    except (DockerException, OSError):
        return False
