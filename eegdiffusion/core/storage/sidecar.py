"""Descriptions of what was derived from an epoch store: JSON files that carry the store's fingerprint."""

import json
from dataclasses import asdict
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError


def read_description[D](path: Path, kind: type[D], store: str) -> D:
    """Read a description.

    Args:
        path: of the file.
        kind: dataclass with a field ``store``.
        store: fingerprint of the epoch store that it is to belong to.

    Raises:
        InputError: it is not there, or of another store.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; run `dvc repro`")
    found = kind(**json.loads(path.read_text()))
    if found.store != store:
        raise InputError(f"{path}: store: must be {store!r} (found {found.store!r})")
    return found


def write_description(path: Path, description) -> None:
    """Write a dataclass as :func:`read_description` reads it."""
    path.write_text(json.dumps(asdict(description), indent=2))
