"""``recordings.csv``, the list of a folder's recordings: one row each, read back whatever a spreadsheet made of it."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from eegdiffusion.core.runtime.files import written_whole
from eegdiffusion.core.storage.spreadsheet import of_cell, write_rows

LIST = "recordings.csv"


def _decode(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def read_list(path: Path) -> list[dict[str, str]] | None:
    """Read a list: with commas, semicolons or tabs, in any order of the columns, in any encoding that Excel writes.

    Returns:
        its rows, by the names of the columns; None where the file is no list of recordings.
    """
    lines = _decode(path.read_bytes()).splitlines(keepends=True)
    while lines and (not lines[0].strip() or lines[0].lower().startswith("sep=")):
        del lines[0]
    if not lines:
        return []
    delimiter = max(",;\t", key=lines[0].count)
    try:
        rows = list(csv.reader(io.StringIO("".join(lines), newline=""), delimiter=delimiter))
    except csv.Error:
        return None
    header = [name.strip().lower() for name in rows[0]]
    if not {"recording", "status"} <= set(header):
        return None
    return [dict(zip(header, map(of_cell, row), strict=False)) for row in rows[1:] if any(row)]


def number_of(text: str) -> int | float | None:
    """Return the number that a cell holds, with a decimal point or comma; None where it holds none."""
    text = text.strip().replace(",", ".")
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def agrees(row: Mapping[str, str], expected: Mapping[str, object]) -> bool:
    """Say whether a row's cells hold these values; a number that a spreadsheet has rounded does not agree."""
    for name, value in expected.items():
        cell = row.get(name, "")
        if (cell.strip() != value.strip()) if isinstance(value, str) else (number_of(cell) != value):
            return False
    return True


def write_list(path: Path, rows: Iterable[Mapping[str, object]], columns: list[str]) -> None:
    """Write a list, whole or not at all.

    Raises:
        UnavailableError: it cannot be written; what was there stays.
    """
    with written_whole(path) as (part,), part.open("w", newline="", encoding="utf-8") as file:
        write_rows(file, rows, columns)
