"""Which registered models, versions and aliases there are; a local store is asked without MLflow, which takes seconds.

MLflow's import costs more than a typo should: a command asks here first, and MLflow answers what this cannot.
"""

import os
import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from eegdiffusion.core.runtime.errors import InputError, nearest

REGISTERED = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>[^/@]+))")
"""Address of a version of a registered model."""

LOCAL_STORE = Path("mlruns/mlflow.db")
"""The store of a clone where no other is named."""

_SQLITE = "sqlite:///"


def listed(names: Sequence[str]) -> str:
    """Return names for a message."""
    return ", ".join(names) or "none"


def require_model_name(name: str, names: Sequence[str], store: str, where: str) -> None:
    """Check that a registry has a model.

    Args:
        name: name of the model.
        names: names of all models that there are.
        store: address of the registry.
        where: argument and address, for the message.

    Raises:
        InputError: it has not; the message lists those that there are.
    """
    if name in names:
        return
    if not names:
        raise InputError(f"{where}: the registry {store} holds no model yet; `eeg register` adds those of the last run")
    raise InputError(f"{where}: there is no model {name}; there are {listed(sorted(names))}{nearest(name, names)}")


def chosen_version(
    name: str, alias: str | None, version: str | None, versions: Sequence[str], aliases: Mapping[str, str], where: str
) -> str:
    """Return the number of the version that an address names.

    Args:
        name: name of the model.
        alias: alias that is asked for; None where a version is.
        version: its number, or ``latest``.
        versions: numbers of the versions that there are.
        aliases: number of the version of each alias.
        where: argument and address, for the message.

    Raises:
        InputError: there is none; the message lists those that there are.
    """
    latest = max(versions, key=int, default=None)
    number = aliases.get(alias) if alias else latest if version == "latest" else version
    if number is not None and number in versions:
        return number
    wanted, offered = ("alias", list(aliases)) if alias else ("version", sorted(versions, key=int))
    known_aliases = f"aliases {listed([f'{key} (version {n})' for key, n in aliases.items()])}"
    raise InputError(
        f"{where}: {name} has no {wanted} {alias or version}; it has versions {listed(sorted(versions, key=int))} and "
        f"{known_aliases}{nearest(str(alias or version), offered)}"
    )


def _local_store() -> Path | None:
    """Return the SQLite file of the registry, which need not be there yet; None where it is a server."""
    uri = os.environ.get("MLFLOW_REGISTRY_URI") or os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}{LOCAL_STORE}"
    return Path(uri.removeprefix(_SQLITE)).absolute() if uri.startswith(_SQLITE) else None


def require_registered(uri: str, option: str) -> None:
    """Check that a local registry has the version that an address names; of others MLflow must say it.

    Args:
        uri: an address of MLflow's, of any form.
        option: where it was given, for the message.

    Raises:
        InputError: there is no such model, version or alias; the message lists those that there are.
    """
    parts, store = REGISTERED.fullmatch(uri), _local_store()
    if parts is None or store is None:
        return
    name, where = parts["name"], f"{option}: {uri}"
    if not store.exists():
        require_model_name(name, [], f"{_SQLITE}{store}", where)
    queries = {
        "names": ("SELECT name FROM registered_models", ()),
        "versions": (
            "SELECT version FROM model_versions WHERE name = ? AND current_stage != 'Deleted_Internal'",
            (name,),
        ),
        "aliases": ("SELECT alias, version FROM registered_model_aliases WHERE name = ? ORDER BY alias", (name,)),
    }
    try:
        with closing(sqlite3.connect(f"file:{quote(str(store))}?mode=ro", uri=True)) as database:
            rows = {what: database.execute(*query).fetchall() for what, query in queries.items()}
    except sqlite3.Error:  # of another version of MLflow, or being changed: MLflow says what is wrong
        return
    require_model_name(name, [row[0] for row in rows["names"]], f"{_SQLITE}{store}", where)
    aliases = {alias: str(version) for alias, version in rows["aliases"]}
    chosen_version(name, parts["alias"], parts["version"], [str(row[0]) for row in rows["versions"]], aliases, where)
