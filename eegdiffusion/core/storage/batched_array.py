"""Arrays that are written batch by batch, so that memory holds one batch and an interrupted run goes on from there."""

import fcntl
import io
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

Batches = Callable[[int], Iterator[np.ndarray]]
"""Takes the row to begin with and yields the rows from there on, batch by batch."""


def write_batches(
    path: Path, shape: tuple[int, ...], dtype: np.dtype | type, batches: Batches, step: int, axes: int = 1
) -> None:
    """Write a ``.npy`` file of rows; it appears under its name once it is complete.

    Where a call was interrupted, the next one begins after the last complete batch; where the file is there, nothing is
    written. Of several processes that write the same file, one does, and the others wait for it.

    Args:
        path: file to write.
        shape: shape of the whole array.
        dtype: type of its numbers.
        batches: makes the rows.
        step: number of rows of a batch; the last may have fewer.
        axes: number of the first axes of the array that its rows are counted along.

    Raises:
        ValueError: the batches have other rows than were announced.
    """
    if path.exists():
        return
    rows, of_row, header = math.prod(shape[:axes]), shape[axes:], _header(shape, dtype)
    partial, size = path.with_name(f"{path.name}.partial"), math.prod(of_row) * np.dtype(dtype).itemsize
    with open(os.open(partial, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if path.exists():  # another process has written it in the meantime
            return
        written = _complete_rows(file, header, size, step)
        if not written:
            file.seek(0)
            file.write(header)
        file.truncate(len(header) + written * size)
        file.seek(0, os.SEEK_END)
        for batch in batches(written) if written < rows else ():
            if batch.shape[1:] != of_row or written + len(batch) > rows:
                raise ValueError(f"{path}: rows must be {of_row}, {rows} of them (found {batch.shape})")
            file.write(np.ascontiguousarray(batch, dtype).data)
            file.flush()
            os.fsync(file.fileno())
            written += len(batch)
        if written < rows:
            raise ValueError(f"{path}: must get {rows} rows (found {written})")
        os.replace(partial, path)


def array_batches(array: np.ndarray, step: int) -> Batches:
    """Return the batches of an array, which may be memory-mapped, for :func:`write_batches`."""
    return lambda first: (array[k : k + step] for k in range(first, len(array), step))


def _header(shape: tuple[int, ...], dtype: np.dtype | type) -> bytes:
    """Return what a ``.npy`` file begins with."""
    file = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue()


def _complete_rows(file: IO[bytes], header: bytes, size: int, step: int) -> int:
    """Count the rows of the complete batches that a file has; none where it begins otherwise."""
    if file.read(len(header)) != header:
        return 0
    return (os.fstat(file.fileno()).st_size - len(header)) // (size * step) * step
