"""Loads registered models, to be used: verified, and with the code that they were registered with."""

import sys
from contextlib import ExitStack
from pathlib import Path
from weakref import finalize

import mlflow

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.shell import hide_advice_to_developers
from eegdiffusion.operations.registry.verified_version import verified_files
from eegdiffusion.operations.registry.version_code import RunsApart, VersionCode, is_library_in_use


def load_registered_model(uri: str, unsigned: bool = False, purpose: str = "loaded") -> mlflow.pyfunc.PyFuncModel:
    """Load a model by its MLflow address, ``models:/<name>/<version>`` or ``models:/<name>@<alias>``.

    Its files are verified, see :func:`.verified_version.verified_files`. It runs the library that is among them, as
    MLflow's servers do, whichever is imported here.

    Args:
        uri: an address of MLflow's, or the folder of a saved model.
        unsigned: load it without verifying it, which is written down.
        purpose: what it is loaded for, for that note.

    Raises:
        InputError: there is no such model, it is refused, or its files cannot be read; the message says why.
        UnavailableError: the server is away for too long.
    """
    hide_advice_to_developers()
    with ExitStack() as stack:
        files = stack.enter_context(verified_files(uri, purpose, unsigned))
        try:
            model = _load(files.folder)
        except (mlflow.MlflowException, OSError) as error:
            raise InputError(f"--model: {uri}: {getattr(error, 'message', error)}") from error
        # Examples and weights are read from the files as long as the model is there.
        finalize(model, stack.pop_all().close)
    return model


def _load(folder: Path) -> mlflow.pyfunc.PyFuncModel:
    if is_library_in_use(folder):
        path = list(sys.path)
        try:
            return mlflow.pyfunc.load_model(str(folder))
        finally:
            sys.path[:] = path  # MLflow has put the files before it
    code = VersionCode(folder)
    with code.active():
        model = mlflow.pyfunc.load_model(str(folder))
    return RunsApart(model, code)
