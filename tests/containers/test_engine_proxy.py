"""The engine's proxy lets a scheduler run tasks, and refuses all that would make it more than that."""

import copy
import importlib.util
import json
import socket
import threading

import docker
import pytest
from docker.errors import APIError
from docker.types import Mount

from tests.containers.engine import ROOT

pytestmark = pytest.mark.timeout(1200)

INSTALLATION = "0a1b2c3d"
NAME = f"eeg-{INSTALLATION}-run-stage"
LABELS = {"eeg.installation": INSTALLATION, "eeg.run": "run", "eeg.task": "stage"}


@pytest.fixture(scope="module")
def module():
    spec = importlib.util.spec_from_file_location("engine_proxy", ROOT / "docker" / "engine_proxy.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    root = tmp_path_factory.mktemp("proxy") / "repository"
    for name in ("runs", ".dvc/cache", ".dvc/tmp", ".work/mirrors/0123456789abcdef", "data", "docker/secrets"):
        (root / name).mkdir(parents=True)
    (root / "data" / "x").write_text("recordings\n")
    return root


@pytest.fixture(scope="module")
def policy(module, repository):
    return module.Policy(
        installation=INSTALLATION,
        repository=str(repository),
        written=(f"{repository}/runs", f"{repository}/.dvc/cache"),
        read=("/corpora",),
        secrets=f"{repository}/docker/secrets",
        images=("localhost/eeg-workflow-test-data", "localhost/eeg-workflow-test-train"),
        user="12345:12345",
        network="none",
        gpus=("0", "1"),
    )


@pytest.fixture(scope="module")
def address(module, policy, engine, tmp_path_factory):
    path = tmp_path_factory.mktemp("socket") / "docker.sock"
    server = module.serve(path, policy, engine.host.removeprefix("unix://"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield path
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def client(address):
    return docker.APIClient(base_url=f"unix://{address}", version="auto", timeout=60)


def container(client, repository, **changes) -> dict:
    """A body as docker's client makes it for an operator of a task."""
    options = {
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": 4096,
        "read_only": True,
        "tmpfs": {str(repository): "uid=12345,mode=0755"},
        "network_mode": "none",
        "shm_size": 2**26,
        "cpu_shares": 1024,
        "mem_limit": "64m",
        "mounts": [
            Mount(f"{repository}/data", f"{repository}/data", "bind", read_only=True),
            Mount(f"{repository}/runs", f"{repository}/runs", "bind"),
            Mount(f"{repository}/.git", f"{repository}/.work/mirrors/0123456789abcdef", "bind", read_only=True),
            Mount("/tmp", None, "volume"),
        ],
        "device_requests": [],
        "auto_remove": False,
        "log_config": docker.types.LogConfig(config={}),
    }
    return client.create_container_config(
        image="localhost/eeg-workflow-test-data",
        command=["cat", f"{repository}/data/x"],
        user="12345:12345",
        labels=dict(LABELS),
        working_dir="/",
        environment={"HOME": "/tmp"},
        host_config=client.create_host_config(**options | changes),
    )


def test_a_task_runs_through_it_and_is_removed(client, engine, image, repository):
    image("data")
    for folder in (repository, *repository.parents):
        if folder.stat().st_uid == 0 and str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    assert client.ping()
    body = container(client, repository)
    made = client.create_container_from_config(body, NAME)
    try:
        lines = client.attach(made["Id"], stdout=True, stderr=True, stream=True)
        client.start(made["Id"])
        assert b"".join(lines) == b"recordings\n"
        assert client.wait(made["Id"])["StatusCode"] == 0
        assert client.inspect_container(NAME)["Config"]["Labels"].items() >= LABELS.items()
        assert b"recordings" in client.logs(made["Id"])
    finally:
        client.remove_container(made["Id"], force=True, v=True)
    assert not [found for found in engine.client.containers.list(all=True) if found.name == NAME]


def test_a_task_is_given_the_gpus_of_this_host(client, policy, repository):
    request = docker.types.DeviceRequest(device_ids=["1"], capabilities=[["gpu"]])
    policy.check_container(NAME, container(client, repository, device_requests=[request]))


BAD_HOST_CONFIG = {
    "privileged": {"Privileged": True},
    "the engine's socket": {"Mounts": [{"Target": "/s", "Source": "/var/run/docker.sock", "Type": "bind"}]},
    "the root of the host": {"Mounts": [{"Target": "/h", "Source": "/", "Type": "bind", "ReadOnly": True}]},
    "an old-style mount": {"Binds": ["/:/host"]},
    "mounts of another container": {"VolumesFrom": ["postgres"]},
    "a volume of a service": {"Mounts": [{"Target": "/tmp", "Source": "eeg_postgres", "Type": "volume"}]},
    "the host's network": {"NetworkMode": "host"},
    "the network of a service": {"NetworkMode": "container:postgres"},
    "the network of the databases": {"NetworkMode": "eeg-database"},
    "the host's processes": {"PidMode": "host"},
    "the host's memory": {"IpcMode": "host"},
    "the host's users": {"UsernsMode": "host"},
    "the host's names": {"UTSMode": "host"},
    "a capability": {"CapAdd": ["SYS_ADMIN"]},
    "all capabilities": {"CapDrop": []},
    "new privileges": {"SecurityOpt": []},
    "no seccomp": {"SecurityOpt": ["no-new-privileges", "seccomp=unconfined"]},
    "a writable image": {"ReadonlyRootfs": False},
    "processes without end": {"PidsLimit": -1},
    "memory without end": {"Memory": 0},
    "a device": {"Devices": [{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/sda", "CgroupPermissions": "rwm"}]},
    "another's GPU": {"DeviceRequests": [{"DeviceIDs": ["7"], "Capabilities": [["gpu"]]}]},
    "every GPU": {"DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}]},
    "another runtime": {"Runtime": "other"},
    "a parent of cgroups": {"CgroupParent": "/"},
    "settings of the kernel": {"Sysctls": {"kernel.core_pattern": "|/x"}},
    "unmasked paths": {"MaskedPaths": []},
    "a published port": {"PortBindings": {"22/tcp": [{"HostPort": "22"}]}},
    "a container that comes back": {"RestartPolicy": {"Name": "always"}},
    "a log of another kind": {"LogConfig": {"Type": "syslog", "Config": {"syslog-address": "tcp://x"}}},
    "a field in other letters": {"privileged": True},
    "a mount in other letters": {"binds": ["/:/host"]},
    "a memory elsewhere": {"Tmpfs": {"/etc": ""}},
}


@pytest.mark.parametrize("what", BAD_HOST_CONFIG)
def test_a_container_with_more_than_a_task_has_is_refused(client, engine, repository, what):
    body = container(client, repository)
    body["HostConfig"] |= BAD_HOST_CONFIG[what]
    if what == "unmasked paths":  # an empty list says nothing to the rules, and to the engine that nothing is masked
        body["HostConfig"]["MaskedPaths"] = ["/nothing"]
    with pytest.raises(APIError, match="HostConfig") as refused:
        client.create_container_from_config(body, NAME)
    assert refused.value.status_code == 403
    assert not [found for found in engine.client.containers.list(all=True) if found.name == NAME]


@pytest.mark.parametrize(
    "mount",
    [
        ("docker", True),
        ("docker/secrets", True),
        ("docker/secrets/postgres", True),
        ("dags", True),
        (".git", True),
        (".work", True),
        (".airflow", True),
        ("data", False),
        (".dvc", False),
        ("", True),
        ("..", True),
        ("data/../docker", True),
        ("runs/../docker/secrets", True),
        ("runs/x", False),
        ("runs//", False),
        (".work/mirrors/0123456789abcdef", True),
        (".work/mirrors/0123456789abcdef/../../../docker", True),
    ],
)
def test_no_other_folder_of_the_repository_is_mounted(client, repository, mount):
    name, read_only = mount
    path = f"{repository}/{name}" if name else str(repository)
    body = container(client, repository, mounts=[Mount(path, path, "bind", read_only=read_only)])
    with pytest.raises(APIError, match=r"HostConfig\.Mounts"):
        client.create_container_from_config(body, NAME)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Image", "postgres:17.6-bookworm"),
        ("User", "root"),
        ("User", ""),
        ("Labels", {}),
        ("Labels", {"eeg.installation": "another", "eeg.task": "stage"}),
        ("Labels", LABELS | {"com.docker.compose.project": "eeg"}),
        ("Healthcheck", {"Test": ["CMD", "x"]}),
        ("NetworkingConfig", {"EndpointsConfig": {"eeg-database": {}}}),
        ("image", "postgres:17.6-bookworm"),
        ("hostconfig", {"Privileged": True}),
        ("Volumes", {"/host": {}}),
        ("Entrypoint", ["sh"]),
    ],
)
def test_a_container_that_is_no_task_is_refused(client, repository, field, value):
    body = container(client, repository) | {field: value}
    with pytest.raises(APIError, match=field) as refused:
        client.create_container_from_config(body, NAME)
    assert refused.value.status_code == 403


@pytest.mark.parametrize("field", ["HostConfig", "User", "Labels", "Image"])
def test_what_a_task_must_say_is_asked_for(client, repository, field):
    body = container(client, repository)
    del body[field]
    with pytest.raises(APIError, match=f"{field}: must be given"):
        client.create_container_from_config(body, NAME)


@pytest.mark.parametrize("field", ["CapDrop", "SecurityOpt", "ReadonlyRootfs", "PidsLimit", "Memory", "NetworkMode"])
def test_what_bounds_a_task_is_asked_for(client, repository, field):
    body = copy.deepcopy(container(client, repository))
    del body["HostConfig"][field]
    with pytest.raises(APIError, match=rf"HostConfig\.{field}: must be given"):
        client.create_container_from_config(body, NAME)


@pytest.fixture(scope="module")
def service(engine, image):
    """A container of a service, which bears the installation's label as well."""
    image("data")
    made = engine.client.containers.run(
        "localhost/eeg-workflow-test-data",
        ["sleep", "600"],
        labels={"eeg.installation": INSTALLATION},
        environment={"PASSWORD": "of the service"},
        detach=True,
    )
    yield made
    made.remove(force=True)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/containers/{id}/json"),
        ("GET", "/containers/{id}/logs?stdout=1"),
        ("POST", "/containers/{id}/stop"),
        ("POST", "/containers/{id}/attach?stdin=1&stream=1"),
        ("DELETE", "/containers/{id}?force=1"),
        ("POST", "/containers/{id}/exec"),
        ("GET", "/containers/{id}/archive?path=/"),
        ("PUT", "/containers/{id}/archive?path=/"),
        ("POST", "/containers/{id}/update"),
        ("POST", "/containers/{id}/rename?name=x"),
        ("POST", "/containers/{id}/kill"),
        ("GET", "/containers/../containers/{id}/json"),
        ("GET", "/containers/%2e%2e/containers/{id}/json"),
        ("GET", "//containers/{id}/json"),
        ("GET", "/v1.41/../containers/{id}/json"),
        ("POST", "/build"),
        ("POST", "/images/create?fromImage=x"),
        ("POST", "/images/load"),
        ("DELETE", "/images/x"),
        ("GET", "/volumes"),
        ("POST", "/volumes/create"),
        ("POST", "/networks/create"),
        ("POST", "/containers/prune"),
        ("GET", "/info"),
        ("GET", "/events"),
        ("POST", "/session"),
        ("POST", "/grpc"),
        ("POST", "/swarm/init"),
        ("POST", "/plugins/pull"),
        ("GET", "/secrets"),
        ("HEAD", "/_ping"),
    ],
)
def test_what_no_scheduler_of_tasks_asks_for_is_refused(address, service, method, path):
    answer = ask(address, f"{method} {path.format(id=service.id)} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403 "), answer[:300]
    assert b"of the service" not in answer
    service.reload()
    assert service.status == "running"


@pytest.mark.parametrize(
    "head",
    [
        "POST /containers/create?name={name} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n",
        "POST /containers/create?name={name} HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        "POST /containers/create?name={name} HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST /containers/create?name={name} HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{{}}",
        "POST /containers/create?name={name}&name=x HTTP/1.1\r\nContent-Length: 2\r\n\r\n{{}}",
        "POST /containers/create?name=postgres HTTP/1.1\r\nContent-Length: 2\r\n\r\n{{}}",
        "POST /containers/create?name={name} HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]",
        "POST /containers/create?name={name} HTTP/1.1\r\nContent-Length: 2\r\n\r\n{{x",
        "GET http://engine/info HTTP/1.1\r\n\r\n",
    ],
)
def test_requests_that_are_written_to_slip_by_are_refused(address, head):
    answer = ask(address, head.format(name=NAME))
    assert answer.startswith(b"HTTP/1.1 403 "), answer[:300]


def test_only_the_first_request_of_a_connection_is_read(address, service):
    """What follows a request must not reach the engine, as it would on a connection that is only passed on."""
    second = f"DELETE /containers/{service.id}?force=1 HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = ask(address, f"GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n{second}")
    assert answer.count(b"HTTP/1.1 ") == 1
    service.reload()
    assert service.status == "running"


def test_the_list_of_containers_tells_of_gpus_alone(client, service):
    assert not [found for found in client.containers(all=True) if found["Id"] == service.id]
    body = json.dumps(client.containers(filters={"label": "eeg.installation"}))
    assert service.id not in body


def test_the_socket_is_for_its_owner_alone(address):
    assert address.stat().st_mode & 0o777 == 0o600


def ask(address, text: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.settimeout(20)
        opened.connect(str(address))
        opened.sendall(text.encode())
        answer = b""
        while part := opened.recv(65536):
            answer += part
    return answer
