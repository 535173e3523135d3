"""Where MLflow logs to, put back: a call of MLflow's changes the process and its environment for all that follows."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_ID")


def _set_in_process() -> str | None:
    """Return the address that ``mlflow.set_tracking_uri`` has set; None without such a call."""
    module = sys.modules.get("mlflow.tracking._tracking_service.utils")
    return module._tracking_uri if module else None


def _experiment() -> str | None:
    """Return the experiment that ``mlflow.set_experiment`` has set; None without such a call."""
    module = sys.modules.get("mlflow.tracking.fluent")
    return module._active_experiment_id if module else None


@contextmanager
def tracking_uri_restored() -> Iterator[None]:
    """Restore afterwards the tracking store and the experiment that were set before, or that none was.

    ``mlflow.set_tracking_uri(mlflow.get_tracking_uri())`` would not do: where none was set, it sets a store in the
    current folder for good.
    """
    address, variables = _set_in_process(), {name: os.environ.get(name) for name in VARIABLES}
    experiment = _experiment()
    try:
        yield
    finally:
        if _experiment() != experiment:
            sys.modules["mlflow.tracking.fluent"]._active_experiment_id = experiment
        if _set_in_process() != address:
            import mlflow

            mlflow.set_tracking_uri(address)
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
