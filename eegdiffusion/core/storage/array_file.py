"""A user's ``.npy`` and ``.npz`` files: as many values as their headers promise, and nothing that is executed."""

import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import IO

import numpy as np

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.pickles.pickled_values import checked_shape

MOST_TIMES, SMALL_BYTES = 50, 1 << 26
"""Times its own size that an ``.npz`` may unfold to; one that unfolds to fewer bytes than the second is allowed."""


def load_array(path: Path, rule: str) -> np.ndarray:
    """Read the array of a ``.npy`` file, once its header is known to promise what follows.

    Args:
        path: the file.
        rule: what the file must be, for the error.

    Raises:
        InputError: there is no such file, it is no array of numbers, or has another size than its header promises.
    """
    try:
        with path.open("rb") as file:
            _check_header(file, path.stat().st_size)
        return np.load(path, allow_pickle=False)
    except Exception as error:  # NumPy raises nearly anything on a crafted header
        raise InputError(f"{path}: {rule} ({_said(error)})") from error


def map_array(path: Path) -> np.ndarray:
    """Map an array that a stage wrote, ``.npy``, without reading it.

    Raises:
        InputError: there is no such file, it is no array of numbers, or has another size than its header promises.
    """
    try:
        with path.open("rb") as file:
            _check_header(file, path.stat().st_size)
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # see load_array
        raise InputError(f"{path}: must be an array of numbers, as a stage wrote it ({_said(error)})") from error


def load_arrays(path: Path, names: Collection[str] | None, rule: str) -> dict[str, np.ndarray]:
    """Read arrays of an ``.npz`` file by their names, once each header is known to promise what follows.

    Args:
        path: the file.
        names: those that are read, if they are there; None: all.
        rule: what the file must be, for the error.

    Raises:
        InputError: there is no such file, it is no archive of arrays of numbers and text, has one twice, unfolds to
            more than its size allows, or an array has another size than its header promises.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
            if len(members) < len(archive.infolist()):
                raise ValueError("has an array twice")
            wanted = {name: members[name] for name in members if names is None or name in names}
            unfolded, most = sum(each.file_size for each in wanted.values()), MOST_TIMES * path.stat().st_size
            if unfolded > max(most, SMALL_BYTES):
                raise ValueError(f"unfolds to {unfolded} bytes, more than {MOST_TIMES} times its size")
            for name, member in wanted.items():
                with archive.open(member) as file:
                    try:
                        _check_header(file, member.file_size)
                    except ValueError as error:
                        raise ValueError(f"{name}: {error}") from error
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in wanted}
    except Exception as error:  # NumPy and zipfile raise nearly anything on a crafted file
        raise InputError(f"{path}: {rule} ({_said(error)})") from error


def _check_header(file: IO[bytes], size: int) -> None:
    """Check that the header of an array promises what follows it.

    Args:
        file: the array, from its beginning.
        size: its bytes with the header.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject or dtype.names or not dtype.itemsize:
        raise ValueError(f"holds {str(dtype)[:60]}")
    promised = checked_shape(shape) * dtype.itemsize
    if promised != (left := size - file.tell()):
        raise ValueError(f"promises {promised} bytes of {shape} and holds {left}")


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
