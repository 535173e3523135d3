"""A real MLflow server for a test, which can be stopped and started again."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests


def free_port() -> int:
    """A port of this host that nobody uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(url: str, process: subprocess.Popen, seconds: float = 240) -> None:
    """Wait until a server answers."""
    deadline = time.monotonic() + seconds
    while True:
        assert process.poll() is None, url
        assert time.monotonic() < deadline, url
        try:
            if requests.get(url, timeout=2).ok:
                return
        except requests.RequestException:
            time.sleep(0.2)


def stop(process: subprocess.Popen) -> None:
    """End a server and the workers it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Server:
    """``mlflow server`` on SQLite and a folder of artifacts."""

    def __init__(self, folder: Path):
        self.folder, self.port, self.process = folder, free_port(), None
        self.uri = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers."""
        if self.process and self.process.poll() is None:
            return
        words = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        words += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db"]
        words += ["--artifacts-destination", str(self.folder / "artifacts")]
        log = (self.folder / "server.log").open("a")
        self.process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True, cwd=self.folder)
        wait_for(f"{self.uri}/health", self.process)

    def stop(self) -> None:
        if self.process:
            stop(self.process)
