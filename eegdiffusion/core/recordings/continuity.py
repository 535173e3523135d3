"""The continuous pieces of a recording, and where they lie on the clock."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eegdiffusion.core.recordings import brainvision_header
from eegdiffusion.core.recordings.brainvision_checks import segment_samples
from eegdiffusion.core.recordings.edf_header import ANNOTATIONS, Header
from eegdiffusion.core.runtime.errors import InputError

if TYPE_CHECKING:
    import mne

ROUNDING_S = 0.002
"""Time stamps are written with milliseconds at best, so that consecutive ones may be off by so much."""

DRIFT_S = 0.5
"""Seconds by which time stamps may go away from the count of records before the clock is heeded."""

# The stamp is the first list without a text; some recorders write lists with one before it, or a decimal comma.
_STAMP = re.compile(rb"(?:^|\0) *([+-]?\d{1,9}(?:[.,]\d*)?)(?:\x15[\d.,]*)?\x14\x14")
_BOUNDARY = re.compile(r"(?:[^/]*/)?(?:bad|edge)?[ _-]?boundary", re.IGNORECASE)  # BrainVision: Comment/boundary
_SKIPPED = "BAD_ACQ_SKIP"
_EEGLAB_BOUNDARY = "-99"
"""A boundary where EEGLAB's types of events are numbers."""


@dataclass(frozen=True)
class Piece:
    """Samples that were recorded without a pause.

    Attributes:
        first_sample, stop_sample: where it lies among the recording's samples; the last is before ``stop_sample``.
        onset_s: time of its first sample in seconds after the recording's first sample, on the clock.
    """

    first_sample: int
    stop_sample: int
    onset_s: float


_FIRST_ONSET = re.compile(rb"^[\0 ]*([+-]?\d{1,9}(?:[.,]\d*)?)(?:\x15[\d.,]*)?\x14")
"""The onset of the first list of a record, whatever text it has."""


def _stamps(header: Header, records: int, pattern: re.Pattern[bytes] = _STAMP) -> np.ndarray:
    """Return the time stamp of each record in seconds after the header's start: (records,), NaN where there is none."""
    samples = header.channels["samples"]
    names = [label.upper() for label in header.labels]
    k = next(k for k, name in enumerate(names) if name in ANNOTATIONS)
    place, length = header.sample_bytes * sum(samples[:k]), header.sample_bytes * samples[k]
    stamps = np.full(records, np.nan)
    with header.path.open("rb", buffering=0) as file:
        for record in range(records):
            file.seek(header.size + record * header.record_bytes + place)
            if match := pattern.search(file.read(length)):
                stamps[record] = float(match[1].replace(b",", b"."))
    return stamps


def _has_stamps(header: Header) -> bool:
    return any(label.upper() in ANNOTATIONS for label in header.labels)


def says_discontinuous(header: Header) -> bool:
    """Say whether a header calls its file one with pauses: EDF+D or BDF+D."""
    return header.kind.upper() in ("EDF+D", "BDF+D")


def record_pieces(header: Header) -> tuple[list[range], list[float]]:
    """Find the continuous runs of records of an EDF or BDF file by their time stamps, whatever the header calls itself.

    Returns:
        runs of records; the time stamp of each one's first, in seconds after the header's start.

    Raises:
        InputError: the file is EDF+D or BDF+D, and a record has no time stamp.
    """
    records = min(header.records, header.whole_records)
    stamps = _stamps(header, records) if _has_stamps(header) else np.full(records, np.nan)
    if np.isnan(stamps).all() and _has_stamps(header):  # a recorder that writes a text into each stamp
        stamps = _stamps(header, records, _FIRST_ONSET)
        stamps = np.full(records, np.nan) if np.isnan(stamps).any() else stamps
    missing = np.flatnonzero(np.isnan(stamps))
    if says_discontinuous(header) and len(missing):
        raise InputError(
            f"{header.path}: reserved: {header.kind} must give the time of each record, to tell samples without gaps "
            f"from others (none in record {missing[0] + 1})"
        )
    if len(missing) == records:
        return [range(records)], [0.0]
    # A recorder that leaves out a stamp says nothing of a pause there.
    expected = np.arange(records) * header.record_s
    known = np.flatnonzero(~np.isnan(stamps))
    before = known[np.maximum(np.searchsorted(known, np.arange(records), "right") - 1, 0)]
    stamps = stamps[before] + expected - expected[before]
    tolerance_s = max(ROUNDING_S, header.record_s / max(_samples(header)))
    jumps = np.flatnonzero(np.abs(np.diff(stamps) - header.record_s) > tolerance_s) + 1
    bounds = _heed_drift(stamps - expected, [0, *jumps.tolist(), records])
    runs = [range(first, stop) for first, stop in pairwise(bounds)]
    return runs, [float(stamps[run[0]]) for run in runs]


def _heed_drift(ahead: np.ndarray, bounds: list[int]) -> list[int]:
    """Divide runs of records whose clock goes slower or faster than they are counted, by less than a sample each.

    Args:
        ahead: (records,) seconds by which the time stamp of each record is ahead of the count of records.
        bounds: first record of each run, and the number of records.
    """
    divided = list(bounds)
    for first, stop in pairwise(bounds):
        while len(away := np.flatnonzero(np.abs(ahead[first:stop] - ahead[first]) > DRIFT_S)):
            first += int(away[0])
            divided.append(first)
    return sorted(divided)


def require_continuous(header: Header) -> None:
    """Check that an EDF or BDF file has no gaps, by the time stamps of its records, whatever its header calls it.

    Raises:
        InputError: it has one, or does not say; the message names file, field and rule.
    """
    runs, stamps = record_pieces(header)
    if len(runs) > 1:
        end_s = stamps[0] + len(runs[0]) * header.record_s
        raise InputError(
            f"{header.path}: time stamps: must follow each other: samples without gaps (found record "
            f"{runs[1].start + 1} at {stamps[1]:.10g} s after one that ends at {end_s:.10g} s)"
        )


def _samples(header: Header) -> list[int]:
    """Return the samples in a record of the signals that are no annotations."""
    counts = zip(header.labels, header.channels["samples"], strict=True)
    return [count for label, count in counts if label.upper() not in ANNOTATIONS] or [1]


def edf_pieces(header: Header, rate_hz: float) -> tuple[list[Piece], float]:
    """Find the continuous pieces of an EDF or BDF file.

    Args:
        header: its header.
        rate_hz: rate at which samples are counted.

    Returns:
        the pieces, in the order of the file; seconds from the header's start to the first sample.

    Raises:
        InputError: the file is EDF+D or BDF+D, and a record has no time stamp.
    """
    runs, stamps = record_pieces(header)
    record = header.record_s * rate_hz
    pieces = [
        Piece(round(run.start * record), round(run.stop * record), stamp - stamps[0])
        for run, stamp in zip(runs, stamps, strict=True)
    ]
    return pieces, stamps[0]


def _cut(samples: int, rate_hz: float, starts: Sequence[int]) -> list[Piece]:
    """Return the pieces of samples that go on without a pause on the clock, but begin anew at ``starts``."""
    bounds = sorted({0, samples, *(start for start in starts if 0 < start < samples)})
    return [Piece(first, stop, first / rate_hz) for first, stop in pairwise(bounds)]


def _brainvision_pieces(path: Path, samples: int, rate_hz: float, starts: Sequence[int]) -> list[Piece]:
    """Return the pieces between segments; one whose marker has no clock follows the one before it."""
    segments = brainvision_header.segments(path)
    clocks = {segment.first_sample: segment.start for segment in segments}
    lost = {segment.first_sample: segment.lost for segment in segments}
    length = segment_samples(path.read_text("latin-1"))
    starts = [*starts, *clocks, *(range(0, samples, length) if length else ())]
    pieces: list[Piece] = []
    reference: tuple[datetime, float] | None = None  # a clock, and the time of it
    for piece in _cut(samples, rate_hz, starts):
        before = pieces[-1] if pieces else None
        onset_s = before.onset_s + (before.stop_sample - before.first_sample) / rate_hz if before else 0.0
        onset_s += lost.get(piece.first_sample, 0) / rate_hz if before else 0.0
        clock = clocks.get(piece.first_sample)
        if clock and reference:
            onset_s = reference[1] + (clock - reference[0]).total_seconds()
        elif clock:
            reference = clock, onset_s
        pieces.append(Piece(piece.first_sample, piece.stop_sample, onset_s))
    return pieces


def _annotated(raw: "mne.io.BaseRaw", eeglab: bool) -> tuple[list[int], list[tuple[int, int]]]:
    """Return the first samples after boundaries, and the samples that were skipped, by the annotations."""
    annotations, rate_hz = raw.annotations, float(raw.info["sfreq"])
    offset_s = raw.first_time if annotations.orig_time is not None else 0.0
    starts, skips = [], []
    for onset, duration, text in zip(annotations.onset, annotations.duration, annotations.description, strict=True):
        # EEGLAB puts a boundary half-way between two samples; a thousandth of a sample is rounding.
        first = math.ceil((onset - offset_s) * rate_hz - 1e-3)
        if text == _SKIPPED:
            # MNE counts skips from the acquisition's start, and other times from the file's where there is no clock.
            first = round((onset - raw.first_time) * rate_hz)
            skips.append((first, first + round(duration * rate_hz)))
        elif _BOUNDARY.fullmatch(text.strip()) or (eeglab and text.strip() == _EEGLAB_BOUNDARY):
            starts.append(first)
    return starts, skips


def _without(pieces: list[Piece], skips: list[tuple[int, int]], rate_hz: float) -> list[Piece]:
    """Leave skipped samples out of pieces."""
    for first, stop in sorted(skips):
        remaining = []
        for piece in pieces:
            parts = (
                (piece.first_sample, min(piece.stop_sample, first)),
                (max(piece.first_sample, stop), piece.stop_sample),
            )
            for low, high in parts:
                if low < high:
                    remaining.append(Piece(low, high, piece.onset_s + (low - piece.first_sample) / rate_hz))
        pieces = remaining
    return pieces


def raw_pieces(raw: "mne.io.BaseRaw", path: Path) -> list[Piece]:
    """Find the continuous pieces of a recording that MNE opened.

    The evidence is BrainVision's markers of new segments, annotations of boundaries (``boundary``, ``BAD boundary``,
    ``EDGE boundary``), and what a FIF file skips; of EDF and BDF see :func:`edf_pieces`.

    Args:
        raw: a BrainVision, FIF or EEGLAB recording.
        path: its file.

    Returns:
        the pieces, in the order of the file; samples that were skipped are in none.

    Raises:
        InputError: an annotation's time is no number.
    """
    rate_hz, name = float(raw.info["sfreq"]), path.name.lower()
    if not np.isfinite([raw.annotations.onset, raw.annotations.duration]).all():
        raise InputError(f"{path}: annotations: their times must be numbers")
    starts, skips = _annotated(raw, name.endswith(".set"))
    if name.endswith(".vhdr"):
        return _brainvision_pieces(path, raw.n_times, rate_hz, starts)
    return _without(_cut(raw.n_times, rate_hz, starts), skips, rate_hz)


def raw_start(raw: "mne.io.BaseRaw", path: Path) -> datetime | None:
    """Return the clock at the first sample of a recording that MNE opened; None where the file does not say.

    MNE's ``meas_date`` is that of the acquisition, which may have begun before the first sample of the file, or of a
    later segment.
    """
    name = path.name.lower()
    if name.endswith(".vhdr"):
        segment = next((segment for segment in brainvision_header.segments(path) if segment.start), None)
        if segment is None or segment.start is None:
            return None
        return clock_after(segment.start, -segment.first_sample / float(raw.info["sfreq"]))
    return clock_after(raw.info["meas_date"], raw.first_time)


def clock_after(clock: datetime | None, seconds: float) -> datetime | None:
    """Return the clock some seconds later; None where there is no clock, or where no calendar goes so far."""
    try:
        return clock + timedelta(seconds=seconds) if clock else None
    except (OverflowError, ValueError):
        return None


def require_forward_clock(path: Path, pieces: Sequence[Piece], rate_hz: float, longest_pause_s: float) -> None:
    """Check that the clock never runs backwards between pieces, nor jumps further than a pause may last.

    Args:
        path: file of the recording, for the error.
        pieces: its pieces, in the order of the file.
        rate_hz: sampling rate.
        longest_pause_s: seconds that a pause may last.

    Raises:
        InputError: it does; the message names the file and the piece.
    """
    for number, (before, piece) in enumerate(pairwise(pieces), 2):
        pause_s = piece.onset_s - before.onset_s - (before.stop_sample - before.first_sample) / rate_hz
        if pause_s < -max(ROUNDING_S, 1 / rate_hz) * 5 or pause_s > longest_pause_s:
            raise InputError(
                f"{path}: clock: a piece must begin after the one before it, and within {longest_pause_s:g} s "
                f"(found {pause_s:g} s before piece {number})"
            )
