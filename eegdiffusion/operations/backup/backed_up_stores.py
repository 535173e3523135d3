"""The stores of a clone that are backed up: MLflow's, Airflow's and DVC's remote, where they lie on this machine."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eegdiffusion.core.observe.tracking import server
from eegdiffusion.operations.orchestration import airflow_server

AIRFLOW_DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"

OF_MOMENTS = ("logs", "__pycache__")
"""Folders of Airflow's home that are not worth a backup."""


@dataclass(frozen=True)
class Store:
    """A store on this machine.

    Attributes:
        name: what it is called in a backup.
        folder: where it lies.
        databases: SQLite files in it, relative to the folder, of which a consistent copy is taken.
        without: folders in it that are left out.
    """

    name: str
    folder: Path
    databases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class LeftOut:
    """A store that is elsewhere, or is not there.

    Attributes:
        name: what it is called.
        why: the reason, in words.
    """

    name: str
    why: str


def stores() -> Iterator[Store | LeftOut]:
    """Yield the stores of the clone that is the working folder."""
    yield _mlflow()
    yield _airflow()
    yield from _remotes()


def _mlflow() -> Store | LeftOut:
    uri = server.uri()
    if not uri.startswith("sqlite:///"):
        return LeftOut("mlflow", f"MLFLOW_TRACKING_URI is {_without_password(uri)}: back up its database and artifacts")
    database = Path(uri.removeprefix("sqlite:///"))
    if not database.is_file():
        return LeftOut("mlflow", f"{database}: is not here; nothing was tracked yet")
    return Store("mlflow", database.parent, (database.name,))


def _airflow() -> Store | LeftOut:
    database = os.environ.get(AIRFLOW_DATABASE, "")
    if database and not database.startswith("sqlite"):
        return LeftOut("airflow", f"{AIRFLOW_DATABASE} is {_without_password(database)}: back it up there")
    folder = airflow_server.home()
    if not (folder / "airflow.db").is_file():
        return LeftOut("airflow", f"{folder / 'airflow.db'}: is not here; Airflow was not started yet")
    return Store("airflow", folder, ("airflow.db",), OF_MOMENTS)


def _remotes() -> Iterator[Store | LeftOut]:
    from dvc.repo import Repo

    with Repo() as repository:
        remotes = {str(name): str(remote["url"]) for name, remote in repository.config["remote"].items()}
    if not remotes:
        yield LeftOut("dvc", "DVC has no remote")
    for name, url in remotes.items():
        if "://" in url:
            yield LeftOut(f"dvc-{name}", f"DVC's remote is {_without_password(url)}: back it up there")
        elif not Path(url).is_dir():
            yield LeftOut(f"dvc-{name}", f"{url}: is not here; nothing was pushed yet")
        else:
            yield Store(f"dvc-{name}", Path(url))


def _without_password(address: str) -> str:
    """Return an address without what stands before its host."""
    scheme, separator, more = address.partition("://")
    return f"{scheme}{separator}{more.rpartition('@')[2]}" if separator else address
