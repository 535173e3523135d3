"""The MLflow server in use."""

import os
import sys
import time
from pathlib import Path

import mlflow
import requests
from filelock import FileLock

from eegdiffusion.core.runtime.errors import UnavailableError

LOCAL = Path("mlruns")

REFERENCE = "mlflow_run.json"
"""File in a stage's work folder that names its run."""


def uri() -> str:
    """Return ``MLFLOW_TRACKING_URI``, or the local SQLite store."""
    if "MLFLOW_TRACKING_URI" in os.environ:
        return os.environ["MLFLOW_TRACKING_URI"]
    LOCAL.mkdir(exist_ok=True)
    return f"sqlite:///{(LOCAL / 'mlflow.db').resolve()}"


def patience_s() -> float:
    """Return the seconds to wait for a server that is away, before training and after it."""
    return float(os.environ.get("EEG_TRACKING_WAIT_SECONDS") or 300)


def remote() -> bool:
    """Whether there is a server to be reached over HTTP."""
    return uri().startswith(("http://", "https://"))


def answers() -> bool:
    """Whether the server answers now; a local store always does."""
    if not remote():
        return True
    try:
        # A proxy without its server says 502 to 504; an answer that asks for credentials is one.
        return requests.get(f"{uri().rstrip('/')}/health", timeout=5).status_code not in (502, 503, 504)
    except requests.RequestException:
        return False


def wait() -> None:
    """Wait for the server.

    Raises:
        UnavailableError: it did not answer within ``EEG_TRACKING_WAIT_SECONDS``.
    """
    deadline, announced = time.monotonic() + patience_s(), False
    while not answers():
        if time.monotonic() >= deadline:
            raise UnavailableError(
                f"MLFLOW_TRACKING_URI: {uri()} did not answer within {patience_s():g} s; start the server, or unset "
                "the variable to use the local store"
            )
        if not announced:
            print(f"{uri()}: waiting up to {patience_s():g} s for MLflow", file=sys.stderr, flush=True)
        announced = True
        time.sleep(min(1, patience_s()))


def experiment(name: str) -> None:
    """Make an experiment the active one, created when missing.

    Raises:
        UnavailableError: see :func:`wait`.
    """
    wait()
    mlflow.set_tracking_uri(uri())
    # Stages may start together, and one database must not be set up twice; a server looks to that itself.
    if not uri().startswith("sqlite:///"):
        mlflow.set_experiment(name)
        return
    # Artifacts lie beside the database, whatever folder the stage runs in: workspaces are removed some day.
    folder = Path(uri().removeprefix("sqlite:///")).parent
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "setup.lock"):
        if mlflow.get_experiment_by_name(name) is None:
            mlflow.create_experiment(name, artifact_location=(folder / "artifacts" / name).as_uri())
        mlflow.set_experiment(name)
