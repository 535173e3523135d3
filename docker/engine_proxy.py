"""What the scheduler may ask of the host's container engine: to run tasks, as tasks are, and nothing else.

Who reaches the engine's socket is root of the host. So this process alone has it, and answers at another socket, which
only the scheduler sees. A request passes if its method and path are listed; a container that it would create is one
of this installation's tasks, in an image of this project, with no privilege and no mount but those of a task; and one
that it names is such a task. Every field of a request that no rule knows is refused.

    python engine_proxy.py SOCKET          # serves there; the engine's own is /var/run/docker.sock
    python engine_proxy.py SOCKET check    # whether the engine answers through it
"""

import http.client
import json
import os
import re
import socket
import socketserver
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, quote, urlsplit

ENGINE = "/var/run/docker.sock"
LARGEST = 2**20
"""Bytes of a request's body: a task's command and environment have some thousands."""

WRITTEN = ("runs", ".dvc/cache", "models/champions", "models/runs")
HIDDEN = ("dags", "docker", "mlruns", "runs")
SHOWN = (".dvc", ".dvcignore", ".gitattributes", ".gitignore", ".python-version")
SECRETS = {"task_store": "/run/secrets/aws", "task_mlflow": "/tmp/.mlflow/credentials"}
MOST_PROCESSES = 4096


class RefusedError(Exception):
    """A request that is not passed on; the message says why."""


@dataclass(frozen=True)
class Policy:
    """What tasks of this installation are.

    Attributes:
        installation: value of their label ``eeg.installation``.
        repository: folder that they read.
        written: folders that they write to.
        read: further folders that they read.
        secrets: folder of their secrets.
        images: images that they run in.
        user: ``USER:GROUP`` that they run as.
        network: network that they are in.
        gpus: ids of the GPUs that they may be given.
    """

    installation: str
    repository: str
    written: tuple[str, ...]
    read: tuple[str, ...]
    secrets: str
    images: tuple[str, ...]
    user: str
    network: str
    gpus: tuple[str, ...]

    @classmethod
    def of_environment(cls) -> "Policy":
        """Read the variables that the scheduler has too."""
        repository, image = os.environ["EEG_REPOSITORY"], os.environ["EEG_IMAGE"]
        return cls(
            installation=os.environ["EEG_INSTALLATION"],
            repository=repository,
            written=(*(f"{repository}/{name}" for name in WRITTEN), *_list("EEG_MOUNTS", os.pathsep)),
            read=(
                *_list("EEG_DATA_MOUNTS", os.pathsep),
                *_list("EEG_SIGNING_KEY", "\n"),
                *_list("EEG_TRUSTED_KEYS", "\n"),
            ),
            secrets=os.environ["EEG_TASK_SECRETS"],
            images=(f"{image}-data", f"{image}-train"),
            user=os.environ["EEG_DOCKER_USER"],
            network=os.environ["EEG_DOCKER_NETWORK"],
            gpus=tuple(_list("EEG_GPUS", ",")),
        )

    def check_container(self, name: str, body: dict) -> None:
        """Refuse a container that is not as tasks are.

        Args:
            name: its name.
            body: what the engine is asked to create.

        Raises:
            RefusedError: with the field and the rule.
        """
        if not re.fullmatch(rf"eeg-{re.escape(self.installation)}-[a-zA-Z0-9_.-]+", name):
            raise RefusedError(f"name: {name!r} is none of a task of this installation")
        _check("", body, self._container_rules())

    def is_task(self, labels: dict | None) -> bool:
        """Whether labels are those of a task of this installation."""
        labels = labels or {}
        return labels.get("eeg.installation") == self.installation and "eeg.task" in labels

    def _container_rules(self) -> dict[str, Callable[[object], bool]]:
        return {
            "Image": lambda value: value in self.images,
            "User": lambda value: value == self.user,
            "Labels": self._are_labels,
            "HostConfig": self._is_host_config,
            "Cmd": _are_words,
            "Env": _are_words,
            "Hostname": _is_nothing,
            "WorkingDir": lambda value: isinstance(value, str) and value.startswith("/"),
            "AttachStdout": lambda value: isinstance(value, bool),
            "AttachStderr": lambda value: isinstance(value, bool),
        }

    def _are_labels(self, value: object) -> bool:
        return isinstance(value, dict) and self.is_task(value) and all(name.startswith("eeg.") for name in value)

    def _is_host_config(self, value: object) -> bool:
        rules = {
            "NetworkMode": lambda value: value == self.network,
            "CapDrop": lambda value: value == ["ALL"],
            "SecurityOpt": lambda value: value == ["no-new-privileges"],
            "ReadonlyRootfs": lambda value: value is True,
            "PidsLimit": lambda value: _is_count(value) and value <= MOST_PROCESSES,
            "Memory": _is_count,
            "ShmSize": _is_count,
            "CpuShares": _is_count,
            "Mounts": lambda value: isinstance(value, list) and all(map(self._is_mount, value)),
            "Tmpfs": lambda value: set(value) <= {self.repository, f"{self.repository}/.dvc/tmp"},
            "DeviceRequests": lambda value: value is None or all(map(self._is_gpu, value)),
            "LogConfig": lambda value: value in ({"Type": kind, "Config": {}} for kind in (None, "", "json-file")),
        }
        if not isinstance(value, dict):
            return False
        missing = {"NetworkMode", "CapDrop", "SecurityOpt", "ReadonlyRootfs", "PidsLimit", "Memory"} - value.keys()
        if missing:
            raise RefusedError(f"HostConfig.{min(missing)}: must be given")
        _check("HostConfig.", value, rules)
        return True

    def _is_mount(self, value: object) -> bool:
        if not isinstance(value, dict) or not value.keys() <= {"Target", "Source", "Type", "ReadOnly"}:
            return False
        target, source, read_only = value.get("Target"), value.get("Source"), value.get("ReadOnly")
        if value.get("Type") == "volume":
            return (target, source) == ("/tmp", None)
        if value.get("Type") != "bind" or not isinstance(source, str) or str(PurePosixPath(source)) != source:
            return False
        if source == target and source in self.written:
            return True
        return read_only is True and self._is_read(source, target)

    def _is_read(self, source: str, target: object) -> bool:
        path = PurePosixPath(source)
        if target == f"{self.repository}/.git":
            mirrors = f"{self.repository}/.work/mirrors"
            return str(path.parent) == mirrors and bool(re.fullmatch("[0-9a-f]{16}", path.name))
        if any(source == f"{self.secrets}/{name}" for name, place in SECRETS.items() if target == place):
            return True
        visible = path.name in SHOWN or not (path.name.startswith(".") or path.name in HIDDEN)
        return source == target and (source in self.read or (str(path.parent) == self.repository and visible))

    def _is_gpu(self, value: object) -> bool:
        if not isinstance(value, dict) or not set(value.get("DeviceIDs") or [None]) <= set(self.gpus):
            return False
        others = {name: found for name, found in value.items() if name != "DeviceIDs" and found}
        return others == {"Capabilities": [["gpu"]]}


def _list(variable: str, separator: str) -> list[str]:
    return [item.strip() for item in os.environ.get(variable, "").split(separator) if item.strip()]


def _are_words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_nothing(value: object) -> bool:
    return not value


def _check(where: str, fields: dict, rules: dict[str, Callable[[object], bool]]) -> None:
    # A field that no rule knows must say nothing. The engine takes names in any case; the rules in theirs alone.
    for name, value in fields.items():
        if not rules.get(name, _is_nothing)(value):
            raise RefusedError(f"{where}{name}: {json.dumps(value)[:300]} is not as tasks have it")
    if missing := {"Image", "User", "Labels", "HostConfig"} - fields.keys() if not where else set():
        raise RefusedError(f"{min(missing)}: must be given")


PASSED = [
    ("GET", r"/_ping"),
    ("GET", r"/version"),
    ("GET", r"/images/json"),
    ("GET", r"/containers/json"),
    ("POST", r"/containers/create"),
    ("GET", r"/containers/(?P<container>[\w.-]+)/(json|logs)"),
    ("POST", r"/containers/(?P<container>[\w.-]+)/(start|stop|wait|attach)"),
    ("DELETE", r"/containers/(?P<container>[\w.-]+)"),
]
"""Methods and paths, after the version."""


class Handler(BaseHTTPRequestHandler):
    """Passes one request of a connection on, or refuses it."""

    protocol_version = "HTTP/1.1"
    policy: Policy
    engine = ENGINE

    def handle_one_request(self):
        """Answer one request; what would follow on the connection is not read."""
        super().handle_one_request()
        self.close_connection = True

    def answer(self) -> None:
        """Pass the request on as far as the policy lets it."""
        try:
            target, body = self._judge()
        except RefusedError as refused:
            self.log_message("refused: %s %s: %s", self.command, self.path, refused)
            self._refuse(str(refused))
            return
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(self.engine)
            engine.sendall(self._request(target, body))
            # Nothing of the client's follows: a connection that the engine takes over is read, not written to.
            with suppress(BrokenPipeError, ConnectionResetError):
                while part := engine.recv(65536):
                    self.wfile.write(part)

    def __getattr__(self, name: str):
        """Answer every method by the policy: the server asks for an attribute of its name."""
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def _judge(self) -> tuple[str, bytes]:
        """Return the target and the body to pass on."""
        url = urlsplit(self.path)
        match = next((match for method, rule in PASSED if (match := self._matches(method, rule, url.path))), None)
        if not match:
            raise RefusedError("this request is not one of a scheduler of tasks")
        version, path = match["version"] or "", url.path.removeprefix(match["version"] or "")
        body, query = self._body(), url.query
        if path == "/containers/create":
            names = parse_qs(query).get("name", [])
            document = _document(body)
            self.policy.check_container(names[0] if len(names) == 1 else "", document)
            query, body = f"name={names[0]}", json.dumps(document).encode()
        elif path == "/containers/json":
            query = "filters=" + quote(json.dumps({"label": ["eeg.gpus"]}))
        elif body not in (b"", b"null", b"{}"):
            raise RefusedError("the body of this request must be empty")
        if container := match.groupdict().get("container"):
            # By its id: a name may be another container's by the time the engine reads it.
            path = f"/containers/{self._task(version, container)}" + path.removeprefix(f"/containers/{container}")
        return version + path + (f"?{query}" if query else ""), body

    def _matches(self, method: str, rule: str, path: str) -> re.Match | None:
        return re.fullmatch(rf"(?P<version>/v1\.\d+)?{rule}", path) if method == self.command else None

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding"):
            raise RefusedError("Transfer-Encoding: the length of a body must be given")
        lengths = self.headers.get_all("Content-Length") or ["0"]
        if len(lengths) != 1 or not re.fullmatch(r"\d{1,9}", lengths[0]) or int(lengths[0]) > LARGEST:
            raise RefusedError(f"Content-Length: {lengths} is not a number up to {LARGEST}")
        return self.rfile.read(int(lengths[0]))

    def _task(self, version: str, name: str) -> str:
        """Return the id of a container that is a task; where there is none of that name, the name."""
        connection = http.client.HTTPConnection("engine")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.engine)
        with connection.sock:
            connection.request("GET", f"{version}/containers/{name}/json", headers={"Connection": "close"})
            answer = connection.getresponse()
            document = json.loads(answer.read())
        if answer.status == 404:
            return name
        if answer.status != 200 or not self.policy.is_task(document["Config"]["Labels"]):
            raise RefusedError(f"the container {name} is not a task of this installation")
        return document["Id"]

    def _request(self, target: str, body: bytes) -> bytes:
        lines = [f"{self.command} {target} HTTP/1.1", "Host: engine", "Connection: close"]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def _refuse(self, reason: str) -> None:
        body = json.dumps({"message": f"engine proxy: {reason}"}).encode()
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        """Name the client, which a socket of files has no address of."""
        return "scheduler"


def _document(body: bytes) -> dict:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise RefusedError(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise RefusedError("the body is no JSON object")
    return document


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A thread a connection, at a socket of files."""

    daemon_threads = True


def serve(path: Path, policy: Policy, engine: str = ENGINE) -> Server:
    """Open the proxy's socket, for its owner alone.

    Args:
        path: where; one that an earlier proxy left is replaced.
        policy: what tasks are.
        engine: the engine's socket.

    Returns:
        The server, to run.
    """
    path.unlink(missing_ok=True)
    handler = type("PolicyHandler", (Handler,), {"policy": policy, "engine": engine})
    before = os.umask(0o177)
    try:
        return Server(str(path), handler)
    finally:
        os.umask(before)


def check(path: Path) -> bool:
    """Whether the engine answers through the proxy."""
    connection = http.client.HTTPConnection("engine")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(4)
    connection.sock.connect(str(path))
    connection.request("GET", "/_ping")
    return connection.getresponse().status == 200


def main() -> None:
    """Serve, or check."""
    path = Path(sys.argv[1])
    if sys.argv[2:] == ["check"]:
        raise SystemExit(0 if check(path) else 1)
    serve(path, Policy.of_environment()).serve_forever()


if __name__ == "__main__":
    main()
