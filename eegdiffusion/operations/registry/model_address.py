"""MLflow's addresses of models, checked before anything is loaded: what is missing is named beside what there is."""

import re
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion, RegisteredModel

from eegdiffusion.core.observe.tracking import server
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.operations.registry.registered_names import REGISTERED, chosen_version, require_model_name

FORMS = "models:/NAME@ALIAS, models:/NAME/VERSION, runs:/RUN/PATH, or the folder of a saved model"

LOGGED = re.compile(r"models:/m-[0-9a-f]{32}")
"""A logged model, which need not be registered."""

ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND")
"""MLflow's codes for what it does not have, or what cannot be the name of anything."""


def _registered_model(client: mlflow.MlflowClient, name: str, where: str) -> RegisteredModel:
    try:
        return client.get_registered_model(name)
    except mlflow.MlflowException as error:
        if error.error_code not in ABSENT:
            raise
    names = sorted(model.name for model in client.search_registered_models())
    require_model_name(name, names, server.uri(), where)
    return client.get_registered_model(name)  # made in between


def registered_version(uri: str, option: str = "--model") -> ModelVersion:
    """Return the version of a registered model that an address names.

    Args:
        uri: ``models:/<name>/<version>`` or ``models:/<name>@<alias>``.
        option: where the address was given, for the message.

    Raises:
        InputError: it is no such address, or there is no such model, alias or version; the message lists those that
            there are.
    """
    where = f"{option}: {uri}"
    parts = REGISTERED.fullmatch(uri)
    if parts is None:
        raise InputError(f"{where}: must be models:/NAME@ALIAS or models:/NAME/VERSION")
    server.connect()
    client = mlflow.MlflowClient()
    name, alias, version = parts["name"], parts["alias"], parts["version"]
    model = _registered_model(client, name, where)
    versions = {str(v.version): v for v in client.search_model_versions(f"name='{name}'")}
    aliases = {key: str(number) for key, number in sorted(model.aliases.items())}
    return versions[chosen_version(name, alias, version, list(versions), aliases, where)]


def require_model(uri: str, option: str = "--model") -> None:
    """Check that there is a model at an address.

    Args:
        uri: an address of MLflow's, or the folder of a saved model.
        option: where the address was given, for the message.

    Raises:
        InputError: there is none; the message says what there is.
        UnavailableError: the server is away for too long.
    """
    if Path(uri, "MLmodel").is_file():
        return
    if not uri.startswith(("models:/", "runs:/")) and "://" not in uri:
        raise InputError(f"{option}: {uri or 'empty'}: must be {FORMS}")
    server.connect()
    if uri.startswith("models:/") and not LOGGED.fullmatch(uri):
        registered_version(uri, option)
        return
    try:
        mlflow.models.get_model_info(uri)
    except (mlflow.MlflowException, OSError, ValueError) as error:
        message = getattr(error, "message", str(error))
        raise InputError(f"{option}: {uri}: there is no model that can be read ({message})") from error
