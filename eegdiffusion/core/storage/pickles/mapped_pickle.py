"""Reader of the pickles that published data sets are made of, which runs nothing and leaves arrays in the file.

THINGS-EEG2 is published as pickles of dicts, lists, text, numbers and arrays. The bytes of large arrays are skipped and
mapped into memory instead of read: a subject of THINGS-EEG2 has 8 GB.
"""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.pickles.document_fields import FieldKind, check_fields
from eegdiffusion.core.storage.pickles.inert_unpickler import InertUnpickler
from eegdiffusion.core.storage.pickles.pickled_values import NAMES, Values


def load_checked(
    path: Path, read: Callable[[Path], Any], what: str, unbuilt: Callable[[Any], Any] | None = None
) -> dict:
    """Read a pickled dict with its arrays mapped, whatever a crafted or damaged file does to ``read``.

    Args:
        path: the file.
        read: returns what was pickled, with placeholders for arrays.
        what: such a file is, for the message.
        unbuilt: see :class:`~eegdiffusion.core.storage.pickles.pickled_values.Values`.

    Raises:
        InputError: the file is missing, damaged or holds something else.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        document = Values(np.memmap(path, np.uint8, "r"), unbuilt).resolve(read(path))
        if not isinstance(document, dict):
            raise pickle.UnpicklingError(f"holds a {type(document).__name__}, not a dict")
    except Exception as error:  # a crafted or damaged file can raise nearly anything
        raise InputError(f"{path}: must be {what}, intact ({type(error).__name__}: {error})") from error
    return document


def _read_pickle(path: Path) -> Any:
    with path.open("rb") as file:
        if file.read(6) == b"\x93NUMPY":
            file.seek(0)
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            dtype = read(file)[2]
            if not dtype.hasobject:
                raise pickle.UnpicklingError(f"holds an array of {dtype}, not a dict")
        else:
            file.seek(0)
        return InertUnpickler(file, NAMES).load()


def read_mapping(path: Path, fields: Mapping[str, FieldKind]) -> dict[str, Any]:
    """Read a dict from a file of ``np.save(dict)`` or of ``pickle.dump(dict)``; both are called ``.npy``.

    Args:
        path: the file.
        fields: keys that the dict must have, and what each must be.

    Returns:
        the dict; its arrays are read-only maps of the file, and lists of text are lists.

    Raises:
        InputError: the file is missing, damaged, holds something else, or names something that no such file needs.
    """
    return check_fields(load_checked(path, _read_pickle, "a pickled dict of arrays"), fields, str(path))
