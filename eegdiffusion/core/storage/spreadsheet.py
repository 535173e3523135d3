"""Tables that people open in spreadsheets: no cell with text of others is taken for a formula, or for several cells."""

import csv
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from eegdiffusion.core.runtime.printable import printable

if TYPE_CHECKING:
    import pandas

_BEGIN = "=+\\-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
_FORMULA = re.compile(f"'*[{_BEGIN}]")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")

# Where lists have semicolons, a spreadsheet splits at them within the quotes of a table with commas too.
_INNER = re.compile(f"(?<=[;|])(?=['\"]*[{_BEGIN}])")
_MARKED = re.compile(f"(?<=[;|])'(?=['\"]*[{_BEGIN}])")


def as_cell(value: object) -> object:
    """Return a value as a cell that shows it: text that a spreadsheet takes for a formula gets an apostrophe in front.

    So does what follows a semicolon or a bar, where some take a cell to end. Text is made printable, in one line;
    numbers stay as they are, those in text too. :func:`of_cell` undoes it.
    """
    if not isinstance(value, str):
        return value
    line = _INNER.sub("'", printable(value))
    return f"'{line}" if _FORMULA.match(line) and not _NUMBER.fullmatch(line) else line


def of_cell(text: str) -> str:
    """Return the text that :func:`as_cell` made a cell of."""
    line = text[1:] if text.startswith("'") and _FORMULA.match(text) else text
    return _MARKED.sub("", line)


def write_table(path: Path | str, frame: "pandas.DataFrame", **options: Any) -> None:
    """Write a table as CSV for people and their spreadsheets.

    Args:
        path: the file.
        frame: what it holds; its index is left out.
        **options: of :meth:`pandas.DataFrame.to_csv`.
    """
    safe = frame.map(as_cell)
    safe.columns = [as_cell(name) for name in frame.columns]
    safe.to_csv(path, index=False, **options)


def write_rows(file: IO[str], rows: Iterable[Mapping[str, object]], columns: list[str]) -> None:
    """Write rows as CSV for people and their spreadsheets.

    Args:
        file: open for writing, with ``newline=""``.
        rows: values by the name of the column; others are left out.
        columns: names of the columns, in their order.
    """
    lines = [{name: as_cell(value) for name, value in row.items() if name in columns} for row in rows]
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writerow({name: as_cell(name) for name in columns})
    writer.writerows(lines)
