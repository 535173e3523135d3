"""Runs ``python -m components.STAGE`` and ``dvc`` in processes that need not import torch, MLflow and DVC anew.

:func:`programs` returns a folder with programs ``python`` and ``dvc``. Where it stands first in ``PATH``, each call of
``dvc``, and of ``python -m`` with a module of the project, is forked from a server that has imported the libraries that
the project's files name, and nothing of the project. The fork imports the project from its own working folder, with the
arguments, environment and streams of the caller; all else that these programs are asked for is done by the real ones.
Limits of resources and further open files are the server's: tests that need the caller's, or a process by its own
command line, take the real programs (``tests.e2e.workspace.environment(warm=False)``).
"""

import ast
import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from functools import cache
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).parents[2]
PROJECT = ("components", "eegdiffusion")
VARIABLES = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "MPLBACKEND": "agg",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PYTHONPATH": "",
}
RARE = ("pyhealth", "dask", "distributed")
"""Libraries of one stage each."""

DVC = ("dvc.cli", "dvc.cli.parser", "dvc.repo", "dvc.repo.reproduce", "dvc.repo.index", "dvc.stage.run", "dvc.fs",
       "dvc.ignore", "dvc.dependency", "dvc.output", "dvc_data.index.build", "dvc.repo.brancher")  # fmt: skip


@cache
def programs() -> Path:
    """Return the folder of the programs; the first process of a session that asks starts the server.

    The server ends with the session: with the process that runs pytest, whose workers share it.
    """
    owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    folder = Path(tempfile.gettempdir(), f"eeg-warm-{os.getuid()}-{owner}")  # a socket's path has to be short
    with FileLock(folder.with_suffix(".lock")):
        if not _answers(folder):
            shutil.rmtree(folder, ignore_errors=True)  # of a process before this one that had its number
            folder.mkdir(mode=0o700)
            _start(owner, folder)
    return folder


def _answers(folder: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(folder / "socket")) == 0


def _start(owner: int, folder: Path) -> None:
    address, log = folder / "socket", folder / "log"
    head = f"PYTHON, SOCKET, PROJECT = {sys.executable!r}, {str(address)!r}, {PROJECT!r}\n"
    for name in ("python", "dvc"):
        path = folder / name
        path.write_text(f"#!{sys.executable} -IS\n{head}{Path(__file__).with_name('shim.py').read_text()}")
        path.chmod(0o755)
    # Not from the root: none of the project's modules may be found.
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(owner), str(address)],
            cwd=folder,
            env=os.environ | VARIABLES,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    while not address.exists():
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)


def libraries() -> list[str]:
    """Return the modules of others that files of the project import, as dotted names; some may be names in a module."""
    names = set()
    for path in (path for package in PROJECT for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return sorted(name for name in names if name.partition(".")[0] not in (*PROJECT, *RARE))


def preload() -> None:
    """Import the libraries, and by name what a library imports on first use."""
    for name in (*libraries(), *DVC):
        module, _, attribute = name.rpartition(".")
        try:
            importlib.import_module(name)
        except ImportError:
            with contextlib.suppress(Exception):
                getattr(importlib.import_module(module), attribute)


def _become(request: dict, files: list[int]) -> None:
    """Do in this fork what the caller asked for, and end as an interpreter does, but for taking libraries apart."""
    try:
        _run(request, files)
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()  # waits for threads that are not daemons
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status & 0xFF)


def _run(request: dict, files: list[int]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    program, argv = request["program"], request["argv"]
    sys.executable = request["python"]
    sys.path[:0] = [request["cwd"], *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    importlib.invalidate_caches()
    if program == "dvc":
        from dvc.cli import main

        sys.argv = ["dvc", *argv]
        raise SystemExit(main(argv))
    sys.argv = argv[1:]
    runpy.run_module(argv[1], run_name="__main__", alter_sys=True)


def _receive(connection: socket.socket) -> tuple[dict, list[int]] | None:
    head, files, *_ = socket.recv_fds(connection, 4, 3)
    if not head:  # it asked whether the server is there
        return None
    body = connection.recv(struct.unpack("!I", head)[0], socket.MSG_WAITALL)
    return json.loads(body), files


def serve(owner: int, address: str) -> None:
    """Fork a process for each connection, and tell it the pid, then the exit status; a lost caller loses its process.

    Args:
        owner: the process with which the server ends.
        address: the socket that callers connect to.
    """
    preload()
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{address}.new")
    listener.listen(64)
    os.rename(f"{address}.new", address)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    wake, woken = socket.socketpair()
    for end in (wake, woken):
        end.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    selector.register(woken, selectors.EVENT_READ)
    running: dict[int, socket.socket] = {}
    while True:
        for key, _ in selector.select(timeout=0.5):
            if key.fileobj is woken:  # a process has ended
                woken.recv(4096)
                continue
            if key.fileobj is not listener:  # the caller is gone
                pid = key.data
                for kill in (os.kill, os.killpg):
                    with contextlib.suppress(ProcessLookupError):
                        kill(pid, signal.SIGKILL)
                selector.unregister(key.fileobj)
                running.pop(pid).close()
                continue
            connection, _ = listener.accept()
            if not (received := _receive(connection)):
                connection.close()
                continue
            request, files = received
            pid = os.fork()
            if pid == 0:
                os.setsid()
                selector.close()
                listener.close()
                for other in (connection, *running.values()):
                    other.close()
                _become(request, files)
            for file in files:
                os.close(file)
            connection.sendall(struct.pack("!i", pid))
            running[pid] = connection
            selector.register(connection, selectors.EVENT_READ, pid)
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if connection := running.pop(ended[0], None):
                    selector.unregister(connection)
                    with contextlib.suppress(OSError):
                        connection.sendall(struct.pack("!i", os.waitstatus_to_exitcode(ended[1])))
                    connection.close()
        if not Path(f"/proc/{owner}").exists():
            shutil.rmtree(Path(address).parent, ignore_errors=True)
            Path(address).parent.with_suffix(".lock").unlink(missing_ok=True)
            os._exit(0)


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
