"""The header of an EDF or BDF file as devices write it, read without trusting it.

Layout: Kemp et al., "A simple format for exchange of digitized polygraphic recordings", 1992, and Kemp and Olivan,
"European data format 'plus' (EDF+)", 2003.
"""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError

_FIELDS = {
    "label": 16,
    "transducer": 80,
    "unit": 8,
    "physical_min": 8,
    "physical_max": 8,
    "digital_min": 8,
    "digital_max": 8,
    "prefilter": 80,
    "samples": 8,
    "reserved": 32,
}

MOST_SIGNALS = 9999
"""Signals of a file: as many as their number has digits for."""

ANNOTATIONS = ("EDF ANNOTATIONS", "BDF ANNOTATIONS")
"""Labels of signals that hold time stamps and annotations, upper-case."""

NO_DATE = datetime(1, 12, 31, tzinfo=UTC)
"""Stands for the date of a recording of which the time of day alone is known; see :func:`has_date`."""

_NO_DATE_IN_EDF = "01.01.85", "00.00.00"
"""Date and time that EDF+ has for those that nobody knows, beside ``Startdate X``."""


def has_date(start: datetime) -> bool:
    """Say whether the date of a recording's start is known, and not the time of day alone."""
    return start.year >= 1900


@dataclass(frozen=True)
class Header:
    """Header of an EDF file, or of BioSemi's BDF, whose samples have 24 bits.

    Attributes:
        path: the file.
        patient: local patient identification.
        kind: ``EDF+C``, ``EDF+D`` (``BDF+C``, ``BDF+D``), or something else where there is no timekeeping.
        size: bytes of the header.
        records: number of data records: as many whole ones as follow, where the recorder wrote fewer or did not say.
        record_s: length of a data record in seconds.
        channels: the signals' fields, by name, one value a signal; ranges that are no numbers are NaN.
        start: date and time of the second in which the first record begins; None where there is none, or no real one.
            Of no zone, called UTC as MNE does. Where no date is known, but the time of day, it is of ``NO_DATE``.
        sample_bytes: 2, or 3 in BDF.
        whole_records: number of data records that the file holds whole; fewer than ``records`` where it was cut off.
    """

    path: Path
    patient: str
    kind: str
    size: int
    records: int
    record_s: float
    channels: dict[str, list]
    start: datetime | None
    sample_bytes: int
    whole_records: int

    @property
    def labels(self) -> list[str]:
        """Names of the signals."""
        return self.channels["label"]

    @cached_property
    def rates(self) -> list[float]:
        """Sampling rate of each signal in Hz."""
        return [samples / self.record_s for samples in self.channels["samples"]]

    @cached_property
    def record_bytes(self) -> int:
        """Bytes of a data record."""
        return self.sample_bytes * sum(self.channels["samples"])

    @property
    def duration_s(self) -> float:
        """Length of what was recorded in seconds, without pauses."""
        return self.records * self.record_s


def _text(field: bytes) -> str:
    """Return a field's text up to the first NUL, which some devices write in the place of blanks."""
    return field.partition(b"\0")[0].decode("latin-1").strip()


def _read_number(path: Path, field: str, text: str) -> float:
    """Read a number, with a decimal point or comma."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise InputError(f"{path}: {field}: must be a number (found {text!r})") from None


def _read_count(path: Path, field: str, text: str) -> int:
    number = _read_number(path, field, text)
    if not math.isfinite(number) or number != int(number):
        raise InputError(f"{path}: {field}: must be a whole number (found {text!r})")
    return int(number)


def _range_number(text: str) -> float:
    """Read the end of a range; NaN where there is no number: it matters for the signals alone that are used."""
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _read_channels(path: Path, content: bytes, count: int) -> dict[str, list]:
    """Return the fields of ``count`` signals by name, one value a signal, from the header's second part."""
    channels: dict[str, list] = {}
    at = 0
    for field, width in _FIELDS.items():
        values: list = [_text(content[at + k * width : at + (k + 1) * width]) for k in range(count)]
        if field.startswith(("physical", "digital")):
            values = [_range_number(value) for value in values]
        elif field == "samples":
            values = [_read_count(path, "samples per record", value) for value in values]
        channels[field] = values
        at += width * count
    return channels


def _read_start(recording: str, date: str, time: str) -> datetime | None:
    """Return the date and time of a recording; None where either is missing, or none that there is."""
    undated = bool(re.match(r"Startdate X\b", recording, re.IGNORECASE)) and date == _NO_DATE_IN_EDF[0]
    if undated and time == _NO_DATE_IN_EDF[1]:
        return None
    day = NO_DATE if undated else _read_full_date(recording) or _read_date(date)
    try:
        hour, minute, second = (int(text) for text in _SEPARATOR.split(time))
        return day and day.replace(hour=hour, minute=minute, second=second)
    except ValueError:
        return None


_SEPARATOR = re.compile("[.,:/-]")


def _read_full_date(recording: str) -> datetime | None:
    """Read the date with a year of four digits that EDF+ puts at the start of the recording's identification.

    None where there is none, or its month is of a language other than English, as some recorders write it.
    """
    full = re.match(r"Startdate (\d\d?)-([A-Z]{3})-(\d{4})\b", recording, re.IGNORECASE)
    if full is None or full[2].upper() not in _MONTHS:
        return None
    try:
        return datetime(int(full[3]), _MONTHS.index(full[2].upper()) + 1, int(full[1]), tzinfo=UTC)
    except ValueError:
        return None


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def _read_date(date: str) -> datetime | None:
    """Read a date of EDF, whose years of two digits are 1985 to 2084."""
    try:
        day_of_month, month, year = (int(text) for text in _SEPARATOR.split(date))
        return datetime(year + (1900 if year >= 85 else 2000), month, day_of_month, tzinfo=UTC)
    except ValueError:
        return None


def _count_records(path: Path, declared: str, whole_records: int) -> int:
    """Return the number of records: recorders that were not stopped write -1, or fewer than follow."""
    count = _read_count(path, "number of records", declared) if declared else -1
    return max(count, whole_records)


def read_header(path: Path) -> Header:
    """Read the header of an EDF or BDF file.

    Raises:
        InputError: the file is no EDF file; the message names file, field and rule.
    """
    if not path.is_file():
        raise InputError(f"{path}: file: there is no such file")
    with path.open("rb") as file:
        fixed = file.read(256)
        bdf = fixed[:8] == b"\xffBIOSEMI"
        if len(fixed) < 256 or not (bdf or _text(fixed[:8]) == "0"):
            raise InputError(f"{path}: header: must begin with EDF's version 0 and hold 256 bytes")
        count = _read_count(path, "number of signals", _text(fixed[252:256]))
        if not 1 <= count <= MOST_SIGNALS:
            raise InputError(f"{path}: number of signals: must be from 1 to {MOST_SIGNALS} (found {count})")
        content = file.read(256 * count)
    if len(content) < 256 * count:
        raise InputError(f"{path}: header: ends within the description of its {count} signals")
    channels = _read_channels(path, content, count)
    record_s = _read_number(path, "record duration", _text(fixed[244:252]))
    size = 256 * (count + 1)
    written = _read_count(path, "header size", _text(fixed[184:192]) or "0")
    if written not in (0, size):
        raise InputError(f"{path}: header size: must be {size} for {count} signals (found {written})")
    if not 0 < record_s < math.inf or min(channels["samples"]) < 1:
        raise InputError(f"{path}: record: its duration and its samples of each signal must be positive")
    sample_bytes = 3 if bdf else 2
    whole_records = (path.stat().st_size - size) // (sample_bytes * sum(channels["samples"]))
    return Header(
        path,
        _text(fixed[8:88]),
        _text(fixed[192:197]),
        size,
        _count_records(path, _text(fixed[236:244]), whole_records),
        record_s,
        channels,
        _read_start(_text(fixed[88:168]), _text(fixed[168:176]), _text(fixed[176:184])),
        sample_bytes,
        whole_records,
    )
