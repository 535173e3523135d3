"""A user's tables and JSON files, read whole: their size is bounded, and so is what they make a reader do."""

import io
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.text_encoding import decode_text

if TYPE_CHECKING:
    import pandas

MOST_TABLE, MOST_JSON = 1 << 27, 1 << 24
"""Bytes of a table of text and of a JSON file."""

MOST_COLUMNS = 1000
"""Columns of a table."""


def read_text(path: Path, most: int) -> str:
    """Read a text file in any encoding that spreadsheets write.

    Raises:
        InputError: there is no such file, or it is longer than ``most`` bytes.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if (size := path.stat().st_size) > most:
        raise InputError(f"{path}: file: must be at most {most} bytes (found {size})")
    return decode_text(path.read_bytes())


def read_tsv(path: Path, missing: tuple[str, ...] = (), trim: bool = False) -> "pandas.DataFrame":
    """Read a table of tab-separated columns, all of it as text.

    Args:
        path: the file.
        missing: cells that stand for no value.
        trim: whether blanks before a cell are left out.

    Raises:
        InputError: there is no such file, or it is no such table.
    """
    import pandas

    text = read_text(path, MOST_TABLE)
    if text.partition("\n")[0].count("\t") >= MOST_COLUMNS:
        raise InputError(f"{path}: must be a table of at most {MOST_COLUMNS} columns")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)  # of rows with more cells than columns
            return pandas.read_csv(
                io.StringIO(text),
                sep="\t",
                dtype=str,
                index_col=False,
                na_values=list(missing),
                keep_default_na=False,
                skipinitialspace=trim,
            )
    except (ValueError, pandas.errors.ParserWarning) as error:  # pandas' other errors are values'
        raise InputError(f"{path}: must be a table of tab-separated columns ({error})") from error


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: there is no such file, it is no JSON, or is nested too deeply.
    """
    try:
        return json.loads(read_text(path, MOST_JSON))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: must be JSON ({type(error).__name__}: {error})") from error
