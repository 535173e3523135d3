"""A local Airflow on the ``dags/`` of the clone that is the working directory: ``eeg airflow``.

Without arguments it starts Airflow's services; with some it is the ``airflow`` command on the same home, e.g.
``eeg airflow dags trigger eeg_retrain --conf '{"overrides": {"pretrain_ssmdp.seed": 1}}'``.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from eegdiffusion.core.runtime.allotment import allotted_cores
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.gpu_leases import LISTED, listed_gpus
from eegdiffusion.core.runtime.ports import port_of, require_free
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.private_files import mask
from eegdiffusion.core.runtime.processes import end_children

SIMPLE_AUTH = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"

SERVICES = (
    ("scheduler", "--skip-serve-logs"),
    ("dag-processor",),
    ("api-server",),
    ("triggerer", "--skip-serve-logs"),
)
"""What ``airflow standalone`` starts, without the servers of logs: they listen at every address of the machine, no
setting changes that, and the API server reads the files here."""

PASSWORDS = "simple_auth_manager_passwords.json.generated"
AIRFLOW = str(Path(sys.executable).parent / "airflow")


def home() -> Path:
    """Return Airflow's folder: ``AIRFLOW_HOME``, or ``.airflow`` of the clone."""
    return Path(os.environ.get("AIRFLOW_HOME", Path.cwd() / ".airflow"))


def environment() -> dict[str, str]:
    """Return Airflow's settings; what the caller has set takes precedence.

    Raises:
        InputError: ``AIRFLOW_PORT`` is no port, or ``EEG_CPUS`` no number of cores.
    """
    root = Path.cwd()
    cores = os.environ.get("EEG_CPUS") or str(allotted_cores())
    if not (cores.isascii() and cores.isdecimal() and int(cores)):
        raise InputError(f"EEG_CPUS: must be a number of cores, 1 or more (found {cores!r})")
    port = port_of("AIRFLOW_PORT", 8080)
    settings = {
        "AIRFLOW_HOME": str(home()),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__CORE__AUTH_MANAGER": SIMPLE_AUTH,
        "AIRFLOW__CORE__DAGS_FOLDER": str(root / "dags"),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # Heartbeats renew a task's token, but only while it is valid: with Airflow's default, ten minutes in which the
        # API server cannot be reached (or the machine sleeps) would end a training of days.
        # Airflow sets these itself, whatever the umask is.
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": f"{0o777 & ~mask():#o}",
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": f"{0o666 & ~mask():#o}",
        "AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME": "86400",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "900",
        LISTED: ",".join(listed_gpus()),
        "EEG_REPOSITORY": str(root),
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return settings | os.environ | {"PATH": path, "EEG_CPUS": cores}


def password() -> str:
    """Return the password of ``admin``, made at the first start."""
    path = home() / PASSWORDS
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps({"admin": secrets.token_urlsafe(12)}) + "\n")
    path.chmod(0o600)
    return json.loads(path.read_text())["admin"]


def pools(settings: dict[str, str]) -> dict[str, dict]:
    """Return the pools of ``dags/pools.json``, sized by this machine or by ``EEG_CPUS`` and ``EEG_GPUS``."""
    sizes = json.loads(Path("dags", "pools.json").read_text())
    sizes["cpu"]["slots"] = int(settings["EEG_CPUS"])
    # One at least: without a GPU no stage asks for the pool.
    sizes["gpu"]["slots"] = max(1, len(listed_gpus(settings)))
    return sizes


def _prepare(settings: dict[str, str]) -> None:
    subprocess.run([AIRFLOW, "db", "migrate"], env=settings, check=True, stdout=subprocess.DEVNULL)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(pools(settings), file)
        file.flush()
        subprocess.run([AIRFLOW, "pools", "import", file.name], env=settings, check=True, stdout=subprocess.DEVNULL)


def serve(settings: dict[str, str], patience: float = 20.0) -> int:
    """Run Airflow's services until one of them ends or this process is told to.

    Then every process below this one, services and tasks, is terminated, and killed if it is still there after
    ``patience`` seconds. A stage that is ended so goes on at its checkpoint when Airflow, started again, retries it.

    Returns:
        The exit status of the service that ended.
    """

    def stop(number: int, _) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    # In sessions of their own, so that Ctrl-C reaches this process alone.
    services = {
        words[0]: subprocess.Popen([AIRFLOW, *words], env=settings, start_new_session=True) for words in SERVICES
    }
    try:
        while not (ended := [name for name, service in services.items() if service.poll() is not None]):
            time.sleep(0.5)
        name, status = ended[0], services[ended[0]].returncode
        say(f"Airflow: {name} has ended with status {status}, and so does all", stream=sys.stderr)
        return status
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        end_children(signal.SIGTERM, patience_s=patience)


def main(arguments: list[str]) -> None:
    """Start the server, or replace this process by Airflow's command."""
    settings = environment()
    if arguments and arguments != ["standalone"]:  # Airflow's own would listen at every address
        os.execve(AIRFLOW, [AIRFLOW, *arguments], settings)
    require_free(int(settings["AIRFLOW__API__PORT"]), settings["AIRFLOW__API__HOST"], "AIRFLOW_PORT")
    admin_password = password()
    _prepare(settings)
    address = settings["AIRFLOW__API__BASE_URL"]
    say(f"Airflow: {address}  user: admin  password: {admin_password}  (Ctrl-C ends it)")
    raise SystemExit(serve(settings))
