"""Servers on this machine: ``eeg mlflow``, ``eeg airflow`` and ``eeg serve``."""

import os
import sys
from pathlib import Path

import click

from eegdiffusion.commands.command_line import Command
from eegdiffusion.commands.registered_models import (
    address,
    choose_device,
    device_option,
    require_known,
    unsigned_option,
)
from eegdiffusion.core.runtime.ports import LAST, require_free
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.processes import ending_children, foreground

LOOPBACK = "127.0.0.1"

PORT = click.IntRange(1, LAST)


@click.command("mlflow", cls=Command)
@click.option("--port", type=PORT, default=5000, show_default=True, envvar="MLFLOW_PORT", show_envvar=True)
def mlflow(port: int) -> int:
    """Open the MLflow server of the local store until interrupted; the address that it prints lets its user in."""
    from eegdiffusion.core.observe.tracking.server import uri
    from eegdiffusion.operations import mlflow_server

    if not uri().startswith("sqlite:///"):
        say(f"MLFLOW_TRACKING_URI: {uri()} is a server already; unset the variable to open the local store")
        return 0
    require_free(port, LOOPBACK, "--port or MLFLOW_PORT")
    folder = Path(uri().removeprefix("sqlite:///")).parent
    token = mlflow_server.token_in(folder)
    say(f"MLflow: http://{LOOPBACK}:{port}/?{mlflow_server.TOKEN}={token} (Ctrl-C ends it)")
    with ending_children():
        mlflow_server.serve(uri(), folder, LOOPBACK, port)
    return 0


@click.command("airflow", cls=Command, context_settings={"allow_interspersed_args": False})
@click.argument("words", nargs=-1, metavar="[COMMAND OF AIRFLOW]...")
def airflow(words: tuple[str, ...]) -> None:
    """Open a local Airflow on dags/, at AIRFLOW_PORT (8080), until interrupted; it prints address and password.

    With words it is Airflow's own command on the same home, e.g. `eeg airflow dags trigger eeg_retrain`.
    """
    from eegdiffusion.operations.orchestration import airflow_server

    airflow_server.main(list(words))


@click.command("serve", cls=Command, clone=False)
@click.argument("model")
@click.option("--port", type=PORT, default=5001, show_default=True)
@click.option("--host", default=LOOPBACK, show_default=True, help="0.0.0.0 lets other machines ask; there is no login.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes that answer.")
@device_option
@unsigned_option
def serve(model: str, port: int, host: str, workers: int, device: str, unsigned: bool) -> int:
    """Serve MODEL over HTTP until interrupted: lft (its champion), lft/3, lft@ALIAS, or MLflow's address of a model.

    POST /invocations {"inputs": [...]} answers {"predictions": [...]}. The environment is this one. Works without a
    clone of the repository.
    """
    uri = address(model)
    require_known(uri, "MODEL")
    require_free(port, host, "--port")
    choose_device(device)

    from eegdiffusion.core.observe.tracking import server
    from eegdiffusion.operations.registry.verified_version import verified_files

    quiet = {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
    quiet["PYTHONWARNINGS"] = "ignore::UserWarning:mlflow.pyfunc.utils.data_validation"  # advice to developers
    with verified_files(uri, "eeg serve", unsigned, "MODEL") as files:
        say(f"{uri}: http://{host}:{port}/invocations (Ctrl-C ends it)")
        # The files that were verified, in a folder that nobody else writes to; they bring the code that runs.
        words = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(files.folder)]
        words += ["--env-manager", "local", "--host", host, "--port", str(port), "--workers", str(workers)]
        return foreground(words, env=quiet | os.environ | {"MLFLOW_TRACKING_URI": server.uri()})
