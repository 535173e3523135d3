"""Arrow files of this project's stores: mapped, and checked before any of their bytes is taken for an array.

Arrow maps what a file promises. A file whose buffers are shorter than its rows would be read beyond its end, and end
the process or show what lies there.
"""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.pickles.pickled_values import checked_shape

RULE = "must be an Arrow file as the stage that makes it wrote it; `dvc checkout` or running the stage again mends it"


@contextmanager
def refused_by_name(path: Path) -> Iterator[None]:
    """Let what a damaged or crafted file makes Arrow and NumPy raise be an :class:`InputError` that names the file."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # Arrow and NumPy raise nearly anything on a crafted file
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(f"{path}: {RULE} ({said})") from error


def read_batches(path: Path) -> tuple[pa.Buffer, list[pa.RecordBatch]]:
    """Map an Arrow file, without reading it.

    Args:
        path: the file, neither compressed nor with dictionaries, as the stores write it.

    Returns:
        the map, and the batches whose buffers lie in it.

    Raises:
        InputError: there is no such file, it is none of Arrow's, or a buffer is shorter than its rows, or compressed.
    """
    with refused_by_name(path):
        mapped = pa.memory_map(str(path)).read_buffer()
        file = pa.ipc.open_file(mapped)
        batches = [file.get_batch(k) for k in range(file.num_record_batches)]
        for batch in batches:
            batch.validate()
            for buffer in (buffer for column in batch.columns for buffer in column.buffers() if buffer is not None):
                if buffer.size and not mapped.address <= buffer.address <= mapped.address + mapped.size - buffer.size:
                    raise ValueError("is compressed")
        return mapped, batches


def row_shape(schema: pa.Schema) -> tuple[int, ...]:
    """Read the shape of a row from a schema's metadata; the caller is in :func:`refused_by_name`."""
    shape = json.loads(schema.metadata[b"shape"])
    if not isinstance(shape, list) or any(type(size) is not int for size in shape):
        raise ValueError(f"shape must be a list of whole numbers (found {str(shape)[:80]})")
    checked_shape(tuple(shape))
    return tuple(shape)


def read_rows(batch: pa.RecordBatch, name: str, shape: tuple[int, ...], dtypes: Collection[Any]) -> np.ndarray:
    """Return the rows of a column of lists of one length, (rows, *shape), without a copy.

    The caller is in :func:`refused_by_name`.

    Args:
        batch: a batch of :func:`read_batches`.
        name: its column.
        shape: shape of a row.
        dtypes: types of values that are allowed, NumPy's.
    """
    column = batch.column(name)
    size = int(np.prod(shape, dtype=np.int64))
    if not pa.types.is_fixed_size_list(column.type) or column.type.list_size != size:
        raise ValueError(f"{name}: must be lists of {size} values (found {column.type})")
    values = column.flatten().to_numpy()
    if values.dtype not in [np.dtype(dtype) for dtype in dtypes]:
        raise ValueError(
            f"{name}: values: must be {', '.join(str(np.dtype(d)) for d in dtypes)} (found {values.dtype})"
        )
    return values.reshape(len(column), *shape)
