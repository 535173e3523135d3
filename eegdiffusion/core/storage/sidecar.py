"""Folders of what was computed once from an epoch store, with a sidecar: a JSON file that has the store's fingerprint.

The word is BIDS': a JSON file beside the data that says what they are.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from eegdiffusion.core.runtime.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class FingerprintedFolder[D: "DataclassInstance"]:
    """Base of folders that belong to an epoch store, which a subclass names the sidecar of.

    Args:
        path: the folder.
        store: fingerprint of the epoch store that it must belong to.

    Raises:
        InputError: it has no sidecar, or belongs to another epoch store.

    Attributes:
        path: the folder.
        description: what the sidecar says.
    """

    SIDECAR: ClassVar[str]
    """Name of the JSON file."""
    DESCRIPTION: ClassVar[type]
    """Dataclass of its fields, one of which is ``store``."""

    def __init__(self, path: Path, store: str):
        self.path = Path(path)
        self.description: D = self._read_sidecar(store)

    def _read_sidecar(self, store: str) -> D:
        path = self.path / self.SIDECAR
        if not path.is_file():
            raise InputError(f"{path}: no such file; run `dvc repro`")
        description = self.DESCRIPTION(**json.loads(path.read_text()))
        if description.store != store:
            raise InputError(f"{path}: store: must be {store!r} (found {description.store!r})")
        return description

    @classmethod
    def write_sidecar(cls, path: Path, description: D) -> None:
        """Write the sidecar of a folder that exists."""
        (path / cls.SIDECAR).write_text(json.dumps(asdict(description), indent=2))
