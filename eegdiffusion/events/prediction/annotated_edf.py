"""A recording with its events as an EDF+ file, which viewers of EEG open."""

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pandas

from eegdiffusion.core.recordings.edf_header import has_date
from eegdiffusion.events.prediction.event_list import SEPARATOR, UNSURE

WRITTEN_BY = "eegdiffusion"
"""What the header names as equipment, by which results are told from recordings of derivations."""

YEARS = (1985, 2084)
"""First and last year whose dates EDF can hold."""

_BLOCK_S = 300
_LARGEST = 9_999_999
"""Largest physical minimum or maximum that eight characters hold with a sign."""

_UNITS = {"uV": 1.0, "mV": 1e-3, "V": 1e-6}


def date_fits(start: datetime) -> bool:
    """Say whether EDF can hold a date."""
    return YEARS[0] <= start.year <= YEARS[1]


def date_note(start: datetime | None) -> str | None:
    """Return what is to be said of the date in the file where it is not that of the recording; None where it is."""
    if start and date_fits(start):
        return None
    stands_for = "01.01.85 and Startdate X stand for it in the EDF+ file"
    if start is None or not has_date(start):
        return f"the recording has no date{'' if start else ' and no time of day'}: {stands_for}"
    return f"the date {start:%Y-%m-%d} is left out: EDF+ holds {YEARS[0]} to {YEARS[1]}, and {stands_for}"


def write_annotated_edf(
    path: Path,
    read: Callable[[int, int], np.ndarray],
    samples: int,
    channels: Sequence[str],
    rate_hz: float,
    events: pandas.DataFrame,
    start: datetime | None,
) -> None:
    """Write signals and events in parts, so that memory does not grow with the length; the file names no patient.

    Args:
        path: EDF+ file to write.
        read: (start, stop) -> (channels, samples) in uV.
        samples: length of the signals; a last part of less than a second is left out.
        channels: names.
        rate_hz: their rate, a whole number.
        events: ``onset``, ``duration``, ``label``, and ``channels``, to the first of which an annotation belongs, as
            EDF+ says it: ``label@@channel``; labels of events that are ``unsure`` say so.
        start: date and time at which the recording starts; a date that EDF cannot hold is left out.
    """
    rate = round(rate_hz)
    seconds = samples // rate
    blocks = [(first, min(first + _BLOCK_S, seconds)) for first in range(0, seconds, _BLOCK_S)]
    largest = np.max([np.abs(read(first * rate, stop * rate)).max(axis=1) for first, stop in blocks], axis=0)
    fraction_s = start.microsecond / 1e6 if start else 0.0
    stamps = _time_stamps(seconds, fraction_s, events)
    scales = [_scale(value) for value in largest]

    def signals(values: np.ndarray) -> list[edfio.EdfSignal]:
        return [
            edfio.EdfSignal(
                row * _UNITS[unit], rate, label=name, physical_dimension=unit, physical_range=(-bound, bound)
            )
            for name, row, (unit, bound) in zip(channels, values, scales, strict=True)
        ]

    with path.open("wb") as file:
        header = _header(signals(np.zeros((len(channels), rate))), seconds, len(stamps[0]), start)
        file.write(header)
        for first, stop in blocks:
            stored = np.stack([signal.digital for signal in signals(read(first * rate, stop * rate))])
            records = stored.reshape(len(channels), -1, rate).transpose(1, 0, 2).astype("<i2").reshape(stop - first, -1)
            for record, stamp in zip(records, stamps[first:stop], strict=True):
                file.write(record.tobytes())
                file.write(stamp)


def _scale(largest_uv: float) -> tuple[str, int]:
    """Return the unit and the bound of a channel, so that eight characters hold it."""
    bounds = {unit: math.ceil(largest_uv * factor) + 1 for unit, factor in _UNITS.items()}
    return next((unit, bound) for unit, bound in bounds.items() if bound <= _LARGEST or unit == "V")


def _time_stamps(seconds: int, fraction_s: float, events: pandas.DataFrame) -> list[bytes]:
    """Return what the annotations of each record hold: its time, and the events that begin in it; all of one length."""
    lists: list[list[bytes]] = [[_annotation(second + fraction_s)] for second in range(seconds)]
    for event in events.itertuples():
        record = min(max(int(event.onset), 0), seconds - 1)
        lists[record].append(_annotation(event.onset + fraction_s, event.duration, _annotation_text(event)))
    records = [b"".join(annotations) for annotations in lists]
    length = max(map(len, records))
    return [record.ljust(length + length % 2, b"\0") for record in records]


def _annotation_text(event: Any) -> str:
    strongest, _, _ = event.channels.partition(SEPARATOR)
    text = f"{event.label} (unsure)" if getattr(event, UNSURE, "") else event.label
    return f"{text}@@{strongest}" if strongest else text


def _annotation(onset_s: float, duration_s: float | None = None, text: str = "") -> bytes:
    """Return a time-stamped annotation list of EDF+, with microseconds at most."""
    onset, duration = (
        np.format_float_positional(round(value, 6), trim="-", sign=sign) if value is not None else ""
        for value, sign in ((onset_s, True), (duration_s, False))
    )
    return f"{onset}{chr(0x15) if duration else ''}{duration}\x14{text}\x14\0".encode()


def _header(signals: list[edfio.EdfSignal], records: int, stamp_bytes: int, start: datetime | None) -> bytes:
    """Return the header of a file with these signals, as edfio writes that of its first record."""
    kept = start if start and date_fits(start) else None
    first = edfio.Edf(
        signals,
        recording=edfio.Recording(startdate=kept.date() if kept else None, equipment_code=WRITTEN_BY),
        starttime=start.time().replace(microsecond=0) if start else None,
        data_record_duration=1,
        annotations=[],
    )
    count = len(signals) + 1
    header = bytearray(first.to_bytes()[: 256 * (count + 1)])
    header[236:244] = str(records).ljust(8).encode()
    at = 256 + 216 * count + 8 * (count - 1)  # samples in a record of the last signal, which holds the annotations
    header[at : at + 8] = str(stamp_bytes // 2).ljust(8).encode()
    return bytes(header)
