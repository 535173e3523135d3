"""Loads registered models, to be used."""

import warnings

import mlflow

from eegdiffusion.core.observe.tracking import server
from eegdiffusion.core.runtime.errors import InputError


def load_registered_model(uri: str) -> mlflow.pyfunc.PyFuncModel:
    """Load a model by its MLflow address, ``models:/<name>/<version>`` or ``models:/<name>@<alias>``.

    Raises:
        InputError: there is no such model.
        UnavailableError: the server is away for too long.
    """
    server.wait()
    # Advice to the authors of models.
    warnings.filterwarnings("ignore", category=UserWarning, module="mlflow.pyfunc.utils.data_validation")
    mlflow.set_tracking_uri(server.uri())
    try:
        return mlflow.pyfunc.load_model(uri)
    except mlflow.MlflowException as error:
        raise InputError(f"--model: {uri}: {error.message}") from error
