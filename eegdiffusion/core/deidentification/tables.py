"""Tables beside recordings, of which what identifies nobody stays: TUEV's ``.rec``, BIDS's events and channels."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

from eegdiffusion.core.deidentification.changes import Changes
from eegdiffusion.core.deidentification.kept_texts import KeptTexts
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.text_encoding import decode_text

_NUMBERS = re.compile(r"[-+]?[\d.,]+(?:[eE][-+]?\d+)?|n/a|nan|", re.IGNORECASE)
_ROW = re.compile(r"[-+\d.,;\s]*")


def _number(text: str) -> str:
    return text if _NUMBERS.fullmatch(text.strip()) else "n/a"


def _word(*words: str) -> Callable[[str], str]:
    return lambda text: text if text.strip().lower() in words else "n/a"


_TYPES = "eeg eog heog veog ecg emg trig misc audio gsr temp resp ppg ref sysclock accel gyro magn n/a"


def _columns(texts: KeptTexts) -> dict[str, Callable[[str], str]]:
    numbers = "onset duration sample value sampling_frequency low_cutoff high_cutoff notch response_time"
    return dict.fromkeys(numbers.split(), _number) | {
        "trial_type": texts.annotation,
        "tangram": texts.annotation,
        "name": lambda text: texts.label(text, 0),
        "type": _word(*_TYPES.split()),
        "units": texts.unit,
        "status": _word("good", "bad", "n/a"),
    }


def deidentify_rec(source: Path, target: Path, changes: Changes) -> None:
    """Copy a ``.rec`` file, whose lines are numbers alone; other lines are left out."""
    lines = decode_text(source.read_bytes()).splitlines()
    kept = [line for line in lines if _ROW.fullmatch(line)]
    for _ in range(len(lines) - len(kept)):
        changes.note("line of .rec that is not of numbers", True, False)
    target.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def deidentify_table(source: Path, target: Path, texts: KeptTexts, changes: Changes) -> None:
    """Write a table of BIDS with the columns that are known, and in them the values that may stay.

    Raises:
        InputError: it is no table.
    """
    rows = list(csv.reader(io.StringIO(decode_text(source.read_bytes())), delimiter="\t", quoting=csv.QUOTE_NONE))
    if not rows or any(len(row) != len(rows[0]) for row in rows if row):
        raise InputError(f"{source}: rows: must have as many cells as the table has columns")
    columns, header = _columns(texts), [name.strip() for name in rows[0]]
    kept = [k for k, name in enumerate(header) if name in columns]
    for name in header:
        changes.note("column of a table", name, name if name in columns else None)
    lines = ["\t".join(header[k] for k in kept)]
    for row in filter(None, rows[1:]):
        cells = [columns[header[k]](row[k]) for k in kept]
        for k, cell in zip(kept, cells, strict=True):
            changes.note(f"column {header[k]}", row[k], cell)
        lines.append("\t".join(cells))
    target.write_text("\n".join([*lines, ""]), encoding="utf-8")
