"""TUEV, the TUH EEG Events corpus (v2.0.0, v2.0.1): its files, its events, and EEGDM's windows of them."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eegdiffusion.core.recordings import continuity, edf_checks, edf_header, edf_samples
from eegdiffusion.core.recordings.channel_derivation import ChannelRecipe, DerivedChannels
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.filtering import EEGDM, Filtering, filtered
from eegdiffusion.core.signal.montage import BIPOLAR
from eegdiffusion.core.signal.montages import choose_montage
from eegdiffusion.core.signal.units import UNITS_PER_VOLT
from eegdiffusion.core.storage.named_files import file_of_ending
from eegdiffusion.core.storage.text_files import read_text

CLASSES = ["spsw", "gped", "pled", "eyem", "artf", "bckg"]
"""Names of the labels 0 to 5."""

FIRST_CODE = 1
"""Number that a ``.rec`` file gives the first class; everywhere else labels begin at 0."""

NO_EVENT = -1
"""Stands for the label of a channel without an event."""

BACKGROUND = "bckg"
"""The class that is no event."""

MOST_BYTES = 1 << 26
"""Bytes of a ``.rec`` file: a row has thirty."""

CONTEXT_S = 2
"""Seconds before and after an event."""

WINDOW_S = 5
"""Seconds in a window."""

TOLERANCE_SAMPLES = 2
"""Samples by which an event may miss one second, as it does where times were rounded to milliseconds or frames."""

MILLISECONDS = 1000.0
"""What an event lasts where a ``.rec`` file has milliseconds: in TUEV it lasts one second."""

_NEAR_A_SECOND = 0.02
"""Share by which the length of an event may differ from one second for its unit to be recognised."""

TCP22 = ChannelRecipe(choose_montage("tcp22"))
"""TUEV's own montage."""

_ELECTRODE = re.compile(r"EEG ([A-Z0-9]+)-(REF|LE)")


@dataclass(frozen=True)
class Event:
    """One row of a ``.rec`` file.

    Attributes:
        channel: index of the derivation, 0 to 21.
        start_s, stop_s: seconds from the start of the recording.
        label: 0 to 5, see ``CLASSES``.
    """

    channel: int
    start_s: float
    stop_s: float
    label: int


class Span(NamedTuple):
    """Seconds from the start of the recording in which channels have events."""

    start_s: float
    stop_s: float


def electrode(label: str) -> str | None:
    """Return the electrode that an EDF label such as ``EEG FP1-REF`` names; None for other signals."""
    match = _ELECTRODE.fullmatch(label.strip().upper())
    return match and match[1]


class RecRow(NamedTuple):
    """A readable row of a ``.rec`` file.

    Attributes:
        row: number of the row from 0, blank lines not counted.
        line: number of the line from 1.
        event: what the row says.
    """

    row: int
    line: int
    event: Event


@dataclass(frozen=True)
class RecRows:
    """A ``.rec`` file: its events, and the rows that are none.

    Attributes:
        path: the file.
        rows: the readable rows, in the order of the file.
        unreadable: what is wrong with each other row, by the number of its line.
        milliseconds: whether the file has milliseconds, which became seconds.
    """

    path: Path
    rows: list[RecRow]
    unreadable: dict[int, str]
    milliseconds: bool


def _read_event(row: list[str]) -> Event:
    """Read a row of a .rec file; its times stay as they are.

    Raises:
        ValueError: the row is malformed; the message names field and rule.
    """
    if len(row) != 4:
        raise ValueError(f"must be channel,start,stop,label (found {','.join(row)!r})")
    numbers = []
    for field, text in zip(("channel", "start", "stop", "label"), row, strict=True):
        try:
            numbers.append(float(text))
        except ValueError:
            raise ValueError(f"{field}: must be a number (found {text!r})") from None
    channel, start, stop, label = numbers
    if channel not in range(len(BIPOLAR)):
        raise ValueError(f"channel: must be an integer from 0 to {len(BIPOLAR) - 1} (found {row[0]})")
    if label - FIRST_CODE not in range(len(CLASSES)):
        raise ValueError(f"label: must be an integer from 1 to {len(CLASSES)} (found {row[3]})")
    if not 0 <= start < stop < np.inf:
        raise ValueError(f"start, stop: must satisfy 0 <= start < stop (found {row[1]}, {row[2]})")
    return Event(int(channel), start, stop, int(label) - FIRST_CODE)


def rec_file(edf_path: Path) -> Path:
    """Return the ``.rec`` file of an EDF file: that of the same name, its ending in upper or lower case."""
    return file_of_ending(edf_path, ".rec") or edf_path.with_suffix(".rec")


def _split_rows(text: str) -> list[list[str]]:
    """Split the lines of a .rec file into fields; a spreadsheet may have written semicolons or tabs, decimal commas."""
    lines = [
        line.replace(",", ".").replace(mark, ",") if (mark := ";" if ";" in line else "\t") in line else line
        for line in text.splitlines()
    ]
    return list(csv.reader(lines))


def _in_milliseconds(rows: list[RecRow]) -> bool:
    """Tell whether more than half of the events last a thousand of their unit, and so a second of milliseconds."""
    lengths = np.array([event.stop_s - event.start_s for _, _, event in rows])
    return bool(2 * (np.abs(lengths / MILLISECONDS - 1) <= _NEAR_A_SECOND).sum() > len(lengths))


def read_rec_rows(path: Path) -> RecRows:
    """Read the rows of a ``.rec`` file, each by itself: one that is malformed costs no other.

    The file numbers the classes from 1, its readers get labels from 0. Its lines may end in any way, and it may begin
    with a byte-order mark.

    Raises:
        InputError: there is no such file, or no row in it.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; each EDF file needs the .rec file of the same name")
    rows: list[RecRow] = []
    unreadable: dict[int, str] = {}
    try:
        lines = _split_rows(read_text(path, MOST_BYTES))
    except csv.Error as error:
        raise InputError(f"{path}: must be rows of channel,start,stop,label ({error})") from error
    for line, fields in enumerate(lines, 1):
        if not any(field.strip() for field in fields):  # the reference skips a blank line too
            continue
        try:
            rows.append(RecRow(len(rows) + len(unreadable), line, _read_event(fields)))
        except ValueError as error:
            unreadable[line] = str(error)
    if not rows and not unreadable:
        raise InputError(f"{path}: must hold at least one event")
    milliseconds = _in_milliseconds(rows)
    if milliseconds:
        rows = [
            row._replace(event=replace(row.event, start_s=row.event.start_s / 1000, stop_s=row.event.stop_s / 1000))
            for row in rows
        ]
    return RecRows(path, rows, unreadable, milliseconds)


def read_rec(path: Path) -> list[Event]:
    """Read the events of a recording, all of which must be well-formed.

    Raises:
        InputError: a row is malformed; the message names file, line, field and rule.
    """
    file = read_rec_rows(path)
    for line, message in file.unreadable.items():
        raise InputError(f"{path}, line {line}: {message}")
    return [row.event for row in file.rows]


def derived_channels(header: edf_header.Header, recipe: ChannelRecipe = TCP22) -> DerivedChannels:
    """Return which signals of a file a montage needs, and how its channels follow from them.

    Raises:
        InputError: an electrode is missing, or there twice, or electrodes that are subtracted have several references.
    """

    def same(positions: Sequence[int]) -> bool:
        if len({header.channels["samples"][k] for k in positions}) > 1:
            return False
        values = edf_samples.read_records(header, 0, header.whole_records, positions)
        return bool((values == values[0]).all())

    return recipe.derive(header.path, header.labels, same)


def read_signals(path: Path, recipe: ChannelRecipe = TCP22) -> tuple[np.ndarray, float, DerivedChannels]:
    """Read the signals that a montage needs of a recording that was checked, and nothing else of it.

    Returns:
        (signals, samples) float64 in volts; sampling rate in Hz; how the montage's channels follow from them.

    Raises:
        InputError: an electrode is missing, there twice, or in no unit of voltage.
    """
    header = edf_header.read_header(Path(path))
    channels = derived_channels(header, recipe)
    signals = edf_samples.read_records(header, 0, header.whole_records, channels.rows)
    return signals, header.rates[channels.rows[0]], channels


def check_signals(path: Path) -> None:
    """Check that a recording has no gaps, and its electrodes one rate, units of voltage and ranges that scale them.

    Raises:
        InputError: it has not; the message names file, field and rule.
    """
    header = edf_header.read_header(path)
    edf_checks.check_signals(header, derived_channels(header).rows)
    continuity.require_continuous(header)


def derive(path: Path, filtering: Filtering = EEGDM, recipe: ChannelRecipe = TCP22) -> np.ndarray:
    """Filter, resample and derive the channels of a file that was checked: (channels, samples) float64 in 100 uV."""
    signals, rate_hz, channels = read_signals(path, recipe)
    return channels.derive(filtered(signals, rate_hz, filtering)) * UNITS_PER_VOLT


def sample_at(seconds: float, samples: int, rate_hz: float) -> int:
    """Return the first sample k with k / rate >= ``seconds`` in double precision; ``samples`` where there is none."""
    k = min(max(int(min(seconds * rate_hz, samples + 1)) - 1, 0), samples)
    while k < samples and k / rate_hz < seconds:
        k += 1
    return k


def window_start(event: Event | Span, samples: int, rate_hz: float) -> int | None:
    """Return the first sample of an event's window, two seconds before it; negative where that is before the start.

    Args:
        event: an event of the recording.
        samples: length of the recording after resampling.
        rate_hz: its sampling rate then.

    Returns:
        None where the event does not last one second, to within ``TOLERANCE_SAMPLES``, or ends too late. One that lasts
        a second of samples begins at the first sample that is not before its start, as in the public implementation;
        one that misses it by a sample or two begins at the sample that is nearest.
    """
    start, stop = (sample_at(t, samples, rate_hz) for t in (event.start_s, event.stop_s))
    excess = stop - start - round((WINDOW_S - 2 * CONTEXT_S) * rate_hz)
    if abs(excess) > TOLERANCE_SAMPLES:
        return None
    return (start if excess == 0 else round(event.start_s * rate_hz)) - round(CONTEXT_S * rate_hz)


def window_starts(events: Sequence[Event | Span], samples: int, rate_hz: float, where: str) -> list[int]:
    """Return the first sample of each event's window (see :func:`window_start`).

    Args:
        events: events of a recording.
        samples: length of the recording in samples, once it is resampled.
        rate_hz: its sampling rate then.
        where: name of the recording or its file, for the error.

    Returns:
        a first sample for each event; it may be negative, as a window at the start goes on at the recording's end.

    Raises:
        InputError: an event has no window; the message names it and the rule.
    """
    starts = []
    for event in events:
        start = window_start(event, samples, rate_hz)
        if start is None:
            raise InputError(
                f"{where}: start, stop: an event must last one second and lie within the recording of "
                f"{samples / rate_hz:g} s (found {event.start_s:.10g} to {event.stop_s:.10g})"
            )
        starts.append(start)
    return starts


def cut(signals: np.ndarray, start: int, length: int) -> np.ndarray:
    """Cut (..., length) out of (..., samples); a window that leaves the recording goes on at its other end."""
    return signals.take(np.arange(start, start + length), axis=-1, mode="wrap")


def distinct_windows(events: list[Event]) -> dict[Span, np.ndarray]:
    """Return the labels (22,) of the channels in each distinct (start, stop), in order of first appearance.

    A channel without an event has the label ``NO_EVENT``; of two rows for one channel and window, the last counts.
    """
    windows: dict[Span, np.ndarray] = {}
    for event in events:
        labels = windows.setdefault(Span(event.start_s, event.stop_s), np.full(len(BIPOLAR), NO_EVENT, np.int64))
        labels[event.channel] = event.label
    return windows


def codes(labels: np.ndarray) -> np.ndarray:
    """Return labels as a ``.rec`` file numbers them: 1 to 6, and 0 for no event."""
    return labels + FIRST_CODE


def _load(path: Path | str) -> tuple[np.ndarray, list[Event], int, str]:
    rec = rec_file(Path(path))
    check_signals(Path(path))
    return derive(Path(path)), read_rec(rec), round(WINDOW_S * EEGDM.rate_hz), str(rec)


def event_windows(edf_path: Path | str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut one window for each row of the ``.rec`` file beside an EDF file.

    Returns:
        signals (n, 22, 1000) float32 in units of 100 uV; labels (n,) as the file numbers them, from 1 to 6 (the window
        store has them from 0); channels (n,) that the rows name.

    Raises:
        InputError: the recording or its events break a rule.
    """
    signals, events, length, where = _load(edf_path)
    starts = window_starts(events, signals.shape[1], EEGDM.rate_hz, where)
    windows = np.stack([cut(signals, start, length) for start in starts]).astype(np.float32)
    return windows, codes(np.array([e.label for e in events])), np.array([e.channel for e in events])


def pretraining_windows(edf_path: Path | str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut each distinct window of a recording into its 22 single-channel samples.

    Returns:
        signals (m, 1000) float32 in units of 100 uV; channels (m,); labels (m,) as the file numbers them, from 1 to 6,
        or 0 for no event.

    Raises:
        InputError: the recording or its events break a rule.
    """
    signals, events, length, where = _load(edf_path)
    distinct = distinct_windows(events)
    starts = window_starts(list(distinct), signals.shape[1], EEGDM.rate_hz, where)
    windows = np.concatenate([cut(signals, start, length) for start in starts]).astype(np.float32)
    return windows, np.tile(np.arange(len(BIPOLAR)), len(starts)), codes(np.concatenate(list(distinct.values())))
