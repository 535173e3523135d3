"""Models that a command is given by MLflow's address of them."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from eegdiffusion.commands.checkout import GRAPH
from eegdiffusion.core.runtime.errors import InputError

if TYPE_CHECKING:
    import mlflow

    from eegdiffusion.core.signal.preprocessing import Preprocessing


def address(name: str) -> str:
    """Return MLflow's address of a model: ``lft`` is ``models:/lft@champion``, ``lft/3`` and ``lft@x`` are of the same.

    An address and the path of a folder that exists stay as they are.
    """
    if ":" in name or Path(name).exists():
        return name
    return f"models:/{name}" if re.search("[/@]", name) else f"models:/{name}@champion"


def require_registry(model: str) -> None:
    """Check that there is a registry to ask for a model.

    Raises:
        InputError: outside of a clone, which has one, ``MLFLOW_TRACKING_URI`` must name it.
    """
    known = "MLFLOW_TRACKING_URI" in os.environ or Path(GRAPH).exists()
    if model.startswith(("models:/", "runs:/")) and not known:
        raise InputError(
            f"--model: {model}: no registry is known outside of a clone; set MLFLOW_TRACKING_URI, e.g. "
            "sqlite:////home/me/clone/mlruns/mlflow.db, or give the folder of a saved model"
        )


def load_classifier(model: str) -> tuple["mlflow.pyfunc.PyFuncModel", "Preprocessing"]:
    """Load a registered classifier of windows with the preprocessing that it carries.

    Args:
        model: MLflow's address of it.

    Raises:
        InputError: there is no such model, or it carries no preprocessing.
        UnavailableError: the server is away for too long.
    """
    require_registry(model)
    from eegdiffusion.core.runtime.settings import validate
    from eegdiffusion.core.signal.preprocessing import Preprocessing
    from eegdiffusion.operations.registry.load_registered_model import load_registered_model

    loaded = load_registered_model(model)
    carried = getattr(loaded.unwrap_python_model(), "preprocessing", None)
    if carried is None:
        raise InputError(f"--model: {model}: must carry its preprocessing; it classifies no windows, or is too old")
    return loaded, validate(carried, Preprocessing, f"{model}: preprocessing")
