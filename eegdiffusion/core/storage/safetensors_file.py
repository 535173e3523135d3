"""Safetensors that stages store, opened one tensor at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from eegdiffusion.core.runtime.errors import InputError


@contextmanager
def open_tensors(path: Path) -> Iterator[Any]:
    """Open a file; the block takes NumPy arrays of it by ``get_tensor(name)``.

    Args:
        path: the file.

    Raises:
        InputError: there is no such file, it is damaged or something else, or it has no tensor of that name.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except (SafetensorError, OSError, ValueError, MemoryError) as error:
        if isinstance(error, InputError):
            raise
        said = " ".join(str(error).split())[:300]
        raise InputError(f"{path}: must be safetensors, as the stage that makes it wrote them ({said})") from error


def read_tensor(path: Path, name: str) -> Any:
    """Read a tensor of a file as a NumPy array.

    Raises:
        InputError: see :func:`open_tensors`.
    """
    with open_tensors(path) as file:
        return file.get_tensor(name)
