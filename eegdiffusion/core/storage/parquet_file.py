"""Tables that stages store as Parquet: read once it is known how many cells a file promises.

A column of one value takes a few bytes for any number of rows, so that a small file can ask for all memory.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegdiffusion.core.runtime.errors import InputError

if TYPE_CHECKING:
    import pandas

MOST_TIMES, SMALL_BYTES = 500, 1 << 28
"""Times its own size that a table may take at 8 bytes a cell; one that takes fewer bytes than the second is allowed."""


def read_parquet(
    path: Path, columns: Sequence[str] | None = None, filters: list[tuple[str, str, Any]] | None = None
) -> "pandas.DataFrame":
    """Read a table.

    Args:
        path: the file.
        columns: those that are read; None: all.
        filters: (column, operator, value) that rows must meet; None: all rows.

    Raises:
        InputError: there is no such file, it is no such table, or it promises more cells than its size allows.
    """
    import pandas
    import pyarrow
    from pyarrow import parquet

    try:
        with path.open("rb") as file:  # pandas would open it by its name, which need not be text
            promised = parquet.read_metadata(file)
            size, asked = os.fstat(file.fileno()).st_size, 8 * promised.num_rows * promised.num_columns
            if asked > max(MOST_TIMES * size, SMALL_BYTES):
                cells = f"{promised.num_rows} rows of {promised.num_columns} columns"
                raise ValueError(f"promises {cells}, more than {MOST_TIMES} times its {size} bytes")
            file.seek(0)
            return pandas.read_parquet(file, columns=columns and list(columns), filters=filters)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; the stage that makes it writes it") from error
    except (OSError, ValueError, KeyError, TypeError, MemoryError, pyarrow.ArrowException) as error:
        said = " ".join(str(error).split())[:300]
        raise InputError(f"{path}: must be a table in Parquet ({said})") from error
