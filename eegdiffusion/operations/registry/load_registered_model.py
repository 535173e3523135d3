"""Loads registered models, to be used."""

import mlflow

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.shell import hide_advice_to_developers
from eegdiffusion.operations.registry.model_address import require_model


def load_registered_model(uri: str) -> mlflow.pyfunc.PyFuncModel:
    """Load a model by its MLflow address, ``models:/<name>/<version>`` or ``models:/<name>@<alias>``.

    Raises:
        InputError: there is no such model, or its files cannot be read; the message says which models there are.
        UnavailableError: the server is away for too long.
    """
    require_model(uri)
    hide_advice_to_developers()
    try:
        return mlflow.pyfunc.load_model(uri)
    except (mlflow.MlflowException, OSError) as error:
        raise InputError(f"--model: {uri}: {getattr(error, 'message', error)}") from error
