"""The MLflow server in use, and the command that opens the local one: ``python -m components.tracking.server``."""

import os
import subprocess
import sys
from pathlib import Path

LOCAL = Path("mlruns")


def uri() -> str:
    """``MLFLOW_TRACKING_URI``, or the local SQLite store."""
    if "MLFLOW_TRACKING_URI" in os.environ:
        return os.environ["MLFLOW_TRACKING_URI"]
    LOCAL.mkdir(exist_ok=True)
    return f"sqlite:///{(LOCAL / 'mlflow.db').resolve()}"


def artifact_location(experiment: str) -> str | None:
    """Folder for an experiment's artifacts in the local store; a server chooses its own."""
    return None if "MLFLOW_TRACKING_URI" in os.environ else (LOCAL / "artifacts" / experiment).resolve().as_uri()


def main() -> None:
    """Serve the local store until interrupted."""
    port = os.environ.get("MLFLOW_PORT", "5000")
    print(f"MLflow: http://127.0.0.1:{port} (Ctrl-C ends it)", flush=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port]
    raise SystemExit(subprocess.call([*command, "--backend-store-uri", uri()]))


if __name__ == "__main__":
    main()
