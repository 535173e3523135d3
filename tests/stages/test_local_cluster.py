"""The processes that preprocess recordings on one machine let nobody else in."""

import contextlib
import os
import socket

import psutil
import pytest
from dask.distributed import Client

from components.preprocess_events import compute
from components.preprocess_events.compute import connect
from components.preprocess_events.settings import PreprocessEvents
from eegdiffusion.core.runtime.settings import validate

PAGES = ["/", "/status", "/health", "/info/main/workers.html", "/metrics", "/json/counts.json", "/eventstream"]
PAGES += ["/api/v1/retire_workers", "/individual-plots.json"]


@pytest.fixture(scope="module")
def client():
    settings = validate({"workers": 1, "filtering": {}}, PreprocessEvents, "test")
    with connect(settings) as client:
        client.wait_for_workers(1)
        yield client
        client.cluster.close()


def _listening() -> list[tuple[str, int]]:
    processes = [psutil.Process(os.getpid()), *psutil.Process().children(recursive=True)]
    sockets = [found for process in processes for found in process.net_connections("inet")]
    return sorted({tuple(found.laddr) for found in sockets if found.status == psutil.CONN_LISTEN})


def test_it_listens_on_the_loopback_address_with_tls_alone(client):
    assert client.submit(sum, [1, 2]).result() == 3
    assert client.scheduler.address.startswith("tls://127.0.0.1:")
    addresses = _listening()
    assert addresses
    for ip, port in addresses:
        assert ip == "127.0.0.1"
        for page in PAGES:
            with socket.create_connection((ip, port), timeout=5) as plain:
                plain.sendall(f"GET {page} HTTP/1.0\r\n\r\n".encode())
                with contextlib.suppress(ConnectionResetError):
                    assert not (found := plain.recv(100)).startswith(b"HTTP") or b" 404 " in found, (port, page)


def test_nobody_without_its_key_is_answered(client):
    port = client.scheduler.address.rpartition(":")[2]
    for protocol in ("tcp", "tls"):
        with pytest.raises((OSError, TypeError)):
            Client(f"{protocol}://127.0.0.1:{port}", timeout=2)


def test_processes_that_cannot_go_on_are_named_and_not_waited_for(tmp_path, monkeypatch):
    """One that imports other code than this process ends for good at its first task: Dask starts none in its place."""
    package = tmp_path / "first/eegdiffusion"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('other code')")
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setattr(compute, "NO_WORKER_S", 2.0)
    settings = validate({"workers": 1, "filtering": {}}, PreprocessEvents, "test")
    job = compute.Job(tmp_path / "a.edf", tmp_path / "a.arrow", compute._derive)
    with pytest.raises(RuntimeError, match="have ended, and none came back in 2 s"):
        compute.preprocess_recordings([job], settings, settings.filtering, [], "")
