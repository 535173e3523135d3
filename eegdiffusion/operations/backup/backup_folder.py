"""A backup: a folder with a copy of each store, and a manifest with the SHA-256 of every file.

A backup is complete or has no manifest. Restoring checks every file first, writes beside the store, and then changes
names: what was there before stays, under another name.
"""

import json
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError, UnavailableError
from eegdiffusion.core.runtime.hashing import content_hash
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.core.storage.text_files import read_json
from eegdiffusion.operations.backup.backed_up_stores import LeftOut, Store

MANIFEST = "backup.json"

BESIDE_DATABASES = ("-wal", "-shm", "-journal")
"""Endings of the files that SQLite keeps beside a database that is in use; a copy of the database needs none."""


def _files(store: Store) -> Iterator[str]:
    """Yield the files of a store, relative to its folder, without its databases.

    Raises:
        InputError: one is a link.
    """
    beside = {database + ending for database in store.databases for ending in ("", *BESIDE_DATABASES)}
    for folder, folders, names in os.walk(store.folder):
        folders[:] = sorted(name for name in folders if name not in store.without)
        for name in sorted(names):
            path = Path(folder, name)
            relative = path.relative_to(store.folder).as_posix()
            if path.is_symlink():
                raise InputError(f"{path}: must be a file: a backup would hold the link, and not what it leads to")
            if relative not in beside and path.is_file():  # a socket of a server that runs is none
                yield relative


def _copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite database that others may be writing to, as it is at one moment."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)


def write_backup(folder: Path, stores: Iterable[Store | LeftOut], root: Path) -> dict:
    """Write a backup.

    Databases are copied before files: what a database speaks of was there before it did.

    Args:
        folder: a folder that is new or empty.
        stores: what is backed up, and what is not.
        root: the clone.

    Returns:
        the manifest.

    Raises:
        InputError: the folder holds something, or lies in a store; or a file of a store is a link.
        UnavailableError: the disk does not take it; the folder has no manifest then.
    """
    stores = list(stores)
    present = [store for store in stores if isinstance(store, Store)]
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: must be new or an empty folder")
    for store in present:
        if folder.resolve().is_relative_to(store.folder.resolve()):
            raise InputError(f"{folder}: must not lie in {store.folder}, which is backed up")
    try:
        hashes: dict[str, str] = {}
        for store in present:
            for database in store.databases:
                _copy_database(store.folder / database, folder / store.name / database)
        for store in present:
            for name in progress(list(_files(store)), desc=f"copying {store.name}", unit="files"):
                target = folder / store.name / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(store.folder / name, target)
            for name in [*store.databases, *_files(Store(store.name, folder / store.name, store.databases))]:
                hashes[f"{store.name}/{name}"] = content_hash(folder / store.name / name)
        manifest = {
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "clone": str(root),
            "stores": {store.name: str(store.folder.absolute()) for store in present},
            "left_out": {each.name: each.why for each in stores if isinstance(each, LeftOut)},
            "sha256": hashes,
        }
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{MANIFEST}.partial"
        partial.write_text(json.dumps(manifest, indent=2))
        partial.replace(folder / MANIFEST)
    except (OSError, sqlite3.Error) as error:
        raise UnavailableError(
            f"{folder}: the backup could not be written ({error}); it has no {MANIFEST}, and is none"
        ) from error
    return manifest


def check_backup(folder: Path) -> dict:
    """Read the manifest of a backup, and hash every file of it.

    Raises:
        InputError: the folder is no backup, or a file is missing, is another, or is there besides.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder}: is no complete backup of `eeg backup`: there is no {MANIFEST}")
    manifest = read_json(path)
    hashes = manifest["sha256"]
    for name, sha256 in progress(hashes.items(), desc=f"checking {folder}", unit="files"):
        file = folder / name
        if not file.is_file():
            raise InputError(f"{file}: is missing, though {MANIFEST} names it; nothing was restored")
        if content_hash(file) != sha256:
            raise InputError(f"{file}: is not what was backed up, by the SHA-256 in {MANIFEST}; nothing was restored")
    return manifest


def restore_backup(folder: Path, wanted: Sequence[str] = ()) -> list[tuple[str, Path, Path | None]]:
    """Put the stores of a backup back in their places.

    Args:
        folder: the backup.
        wanted: names of stores; default: all of the backup.

    Returns:
        of each store its name, where it is, and where what was there before is now, if something was.

    Raises:
        InputError: the backup is damaged, has no such store, or was made of a clone that lay elsewhere.
        UnavailableError: the disk does not take it; the stores are as they were then.
    """
    manifest = check_backup(folder)
    if unknown := sorted(set(wanted) - manifest["stores"].keys()):
        raise InputError(f"{folder}: has no {', '.join(unknown)}; it has {', '.join(manifest['stores'])}")
    if manifest["clone"] != str(Path.cwd()):
        raise InputError(
            f"{folder}: was made of the clone {manifest['clone']}, and MLflow's addresses of files are absolute; "
            "restore it into a clone at that place"
        )
    stores = {name: Path(place) for name, place in manifest["stores"].items() if not wanted or name in wanted}
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    prepared: dict[str, Path] = {}
    try:
        for name, place in stores.items():
            prepared[name] = place.with_name(f".{place.name}.restoring")
            shutil.rmtree(prepared[name], ignore_errors=True)
            shutil.copytree(folder / name, prepared[name])
        restored: list[tuple[str, Path, Path | None]] = []
        for name, place in stores.items():
            former = place.with_name(f"{place.name}.before-{stamp}") if place.exists() else None
            if former is not None:
                place.rename(former)
            prepared[name].rename(place)
            restored.append((name, place, former))
    except OSError as error:
        for path in prepared.values():
            shutil.rmtree(path, ignore_errors=True)
        raise UnavailableError(f"{folder}: could not be restored ({error})") from error
    return restored
