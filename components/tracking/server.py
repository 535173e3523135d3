"""The MLflow server in use, and the command that opens the local one: ``python -m components.tracking.server``."""

import os
import subprocess
import sys
from pathlib import Path

import mlflow
from filelock import FileLock

LOCAL = Path("mlruns")


def uri() -> str:
    """``MLFLOW_TRACKING_URI``, or the local SQLite store."""
    if "MLFLOW_TRACKING_URI" in os.environ:
        return os.environ["MLFLOW_TRACKING_URI"]
    LOCAL.mkdir(exist_ok=True)
    return f"sqlite:///{(LOCAL / 'mlflow.db').resolve()}"


def experiment(name: str) -> None:
    """Make an experiment the active one, created when missing."""
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


def main() -> None:
    """Serve the local store until interrupted."""
    port = os.environ.get("MLFLOW_PORT", "5000")
    print(f"MLflow: http://127.0.0.1:{port} (Ctrl-C ends it)", flush=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port]
    raise SystemExit(subprocess.call([*command, "--backend-store-uri", uri()]))


if __name__ == "__main__":
    main()
