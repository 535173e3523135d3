"""Where the events of a table lie in a recording: their unit, the recording's pauses, and what lies in none of it.

The unit is decided from all rows, as published tables have milliseconds or samples where BIDS asks for seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from eegdiffusion.core.recordings.continuity import Piece
from eegdiffusion.core.runtime.errors import InputError

UNITS_S = {
    "s": ("s", "sec", "secs", "second", "seconds"),
    "ms": ("ms", "msec", "msecs", "millisecond", "milliseconds"),
    "us": ("us", "µs", "\u03bcs", "usec", "microsecond", "microseconds"),
    "samples": ("sample", "samples", "datapoint", "datapoints", "frame", "frames"),
}
"""Units of onsets, and how tables spell them."""

GUESSED = ("s", "ms", "samples")
"""Units that onsets are tried in without being declared."""

MOST = 0.5
"""Of the events, a larger share lies within the recording in the unit that is theirs."""

AS_MANY = 0.05
"""Difference of two shares below which either unit may be the right one."""

SAME_UNIT = 2e-5
"""Relative difference below which milliseconds and samples are one unit, as at a rate near 1000 Hz."""

AGREEING = 0.9
"""Least share of the events whose ``sample`` is that of their onset for the column to decide."""

NEAR_SAMPLES = 2
"""Samples by which ``sample`` may differ from the onset: it is rounded, and counts from 0 or 1."""

FASTEST_S = 0.01
"""Images do not follow each other faster: events that would are not in the unit."""

MOST_IN_PAUSES = 0.05
"""Largest share of the events that may lie in pauses of the recording: more are not on the clock."""

LISTED = 20
"""Onsets that a message lists; the others are counted."""


@dataclass(frozen=True)
class Span:
    """The extent of a recording on the clock.

    Attributes:
        pieces: its continuous pieces, in order.
        sfreq: sampling rate in Hz.
    """

    pieces: Sequence[Piece]
    sfreq: float

    @property
    def samples(self) -> int:
        """Number of samples."""
        return self.pieces[-1].stop_sample

    @property
    def duration_s(self) -> float:
        """Seconds on the clock from the first sample to the end."""
        last = self.pieces[-1]
        return last.onset_s - self.pieces[0].onset_s + (last.stop_sample - last.first_sample) / self.sfreq

    def by_clock(self, seconds: np.ndarray) -> np.ndarray:
        """Return the sample at each time on the clock, (events,) float64; NaN where there is none."""
        position = np.full(len(seconds), np.nan)
        for piece in self.pieces:
            start = piece.onset_s - self.pieces[0].onset_s
            sample = piece.first_sample + np.rint((seconds - start) * self.sfreq)
            inside = (sample >= piece.first_sample) & (sample < piece.stop_sample)
            position[inside] = sample[inside]
        return position

    def by_samples(self, seconds: np.ndarray) -> np.ndarray:
        """Return the sample at each time in seconds of samples, pauses not counted; NaN where there is none."""
        sample = np.rint(seconds * self.sfreq)
        return np.where((sample >= 0) & (sample < self.samples), sample, np.nan)

    def in_pauses(self, seconds: np.ndarray) -> np.ndarray:
        """Return which times on the clock lie between two pieces, (events,) bool."""
        within = (seconds >= 0) & (seconds < self.duration_s)
        return within & np.isnan(self.by_clock(seconds))


@dataclass(frozen=True)
class LocatedEvents:
    """Where events lie.

    Attributes:
        samples: (events,) float64, the sample of each onset; NaN for one that is left out.
        doubts: sentences on what was decided against the table's words, or left out, with the column concerned.
    """

    samples: np.ndarray
    doubts: list[tuple[str, str]] = field(default_factory=list)


def parse_unit(text: str, where: str) -> str:
    """Return ``s``, ``ms``, ``us`` or ``samples`` for the ``Units`` that ``events.json`` gives of the onsets.

    Raises:
        InputError: it is none of them.
    """
    for unit, spellings in UNITS_S.items():
        if text.strip().lower() in spellings:
            return unit
    raise InputError(f"{where}: onset: Units: must be one of {', '.join(UNITS_S)} (found {text!r})")


def locate_events(
    onset: np.ndarray, sample: np.ndarray | None, declared: str | None, span: Span, where: str
) -> LocatedEvents:
    """Find the sample of each event.

    BIDS counts an onset in seconds on the clock from the first sample, so that the pauses of a recording count. Tables
    of other programs count milliseconds, samples, or seconds without the pauses. The column ``sample`` says which it is
    where it agrees with the onsets; else the unit that ``events.json`` declares; else that in which most events lie
    within the recording, seconds first. A declared unit in which events follow each other faster than images do is not
    theirs where another one fits.

    Args:
        onset: (events,) as the table has it; NaN where it has no number.
        sample: (events,) column ``sample``; None where there is none.
        declared: unit of the onsets by ``events.json``; None where it says none.
        span: extent of the recording.
        where: file of the events, for errors.

    Raises:
        InputError: no unit fits, two do and differ, or too many onsets lie in pauses of the recording.
    """
    doubts: list[tuple[str, str]] = []
    factors = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "samples": 1 / span.sfreq}
    contradicted = np.zeros(len(onset), bool)
    if sample is not None and (agreeing := _agreeing_reading(onset, sample, factors, span)) is not None:
        unit, samples = agreeing
        if not np.array_equal(samples, span.by_clock(onset * factors[unit]), equal_nan=True) and unit != "samples":
            doubts.append(("onset", "leaves out the pauses of the recording, by the column sample"))
        contradicted = np.isfinite(sample) & (np.abs(samples - sample) > NEAR_SAMPLES)
        if contradicted.any():
            doubts.append(("sample", f"contradicts the onset of {_listed(onset[contradicted])}, which are left out"))
            samples = np.where(contradicted, np.nan, samples)
    else:
        if sample is not None and np.isfinite(sample).any():
            doubts.append(("sample", "agrees with the onsets in no unit, and is not used"))
        unit = _fitting_unit(onset, declared, factors, span, where)
        samples = (
            _by_clock(onset * factors[unit], span, where) if unit != "samples" else span.by_samples(onset / span.sfreq)
        )
    if unit != (declared or "s"):
        rule = f"events.json says {declared}" if declared else "BIDS has s"
        doubts.append(("onset", f"is in {unit} by most of its rows, where {rule}"))
    if (missing := int(np.isnan(onset).sum())) > 0:
        doubts.append(("onset", f"{missing} of {len(onset)} are no number, and are left out"))
    outside = np.isfinite(onset) & np.isnan(samples) & ~contradicted
    if outside.any():
        listed = f"{outside.sum()} of {len(onset)} are left out: {_listed(onset[outside])} ({unit})"
        doubts.append(("onset", f"must lie within the recording of {span.duration_s:g} s; {listed}"))
    return LocatedEvents(samples, doubts)


def _agreeing_reading(
    onset: np.ndarray, sample: np.ndarray, factors: dict[str, float], span: Span
) -> tuple[str, np.ndarray] | None:
    """Return unit and samples of the way to read the onsets that agrees most with ``sample``; None where none does."""
    readings = [
        (unit, position(onset * factor))
        for unit, factor in factors.items()
        for position in (span.by_clock, span.by_samples)
    ]
    with np.errstate(invalid="ignore"):
        agreeing = [int((np.abs(samples - sample) <= NEAR_SAMPLES).sum()) for _, samples in readings]
        inside = int(((sample >= 0) & (sample < span.samples)).sum())
    enough = max(AGREEING * inside, MOST * len(onset), 1)
    return readings[int(np.argmax(agreeing))] if max(agreeing) >= enough else None


def _fitting_unit(onset: np.ndarray, declared: str | None, factors: dict[str, float], span: Span, where: str) -> str:
    """Return the unit in which most onsets lie within the recording: the declared one, or seconds, where it fits."""
    known = onset[np.isfinite(onset)]
    if not len(known):
        raise InputError(f"{where}: onset: must be numbers (found none in {len(onset)} rows)")
    shares = {unit: _share_inside(known * factor, span) for unit, factor in factors.items()}
    asked = declared or "s"
    if shares[asked] > MOST and (declared is None or _spaced(known * factors[asked])):
        return asked
    spaced = {unit: shares[unit] for unit in GUESSED if unit != asked and _spaced(known * factors[unit])}
    fitting = [unit for unit, share in spaced.items() if share > MOST and share >= max(spaced.values()) - AS_MANY]
    if not fitting and shares[asked] > MOST:
        return asked
    if not fitting:
        raise InputError(
            f"{where}: onset: must be seconds from the first sample; {(known > span.duration_s).sum()} of {len(known)},"
            f" the last {known.max():g}, lie beyond the recording of {span.duration_s:g} s, in ms too"
        )
    if any(abs(factors[unit] / factors[fitting[0]] - 1) > SAME_UNIT for unit in fitting):
        raise InputError(
            f"{where}: onset: must be seconds from the first sample; most lie beyond the recording of "
            f"{span.duration_s:g} s, and may be in {' or '.join(fitting)}: say so as Units of onset in events.json, or "
            "add the column sample"
        )
    return fitting[0]


def _share_inside(seconds: np.ndarray, span: Span) -> float:
    return float(np.mean((seconds >= 0) & (seconds <= span.duration_s)))


def _spaced(seconds: np.ndarray) -> bool:
    distinct = np.unique(seconds)
    return len(distinct) < 2 or float(np.median(np.diff(distinct))) >= FASTEST_S


def _by_clock(seconds: np.ndarray, span: Span, where: str) -> np.ndarray:
    in_pauses = span.in_pauses(seconds)
    if in_pauses.sum() > MOST_IN_PAUSES * np.isfinite(seconds).sum():
        raise InputError(
            f"{where}: onset: must be seconds on the clock from the first sample, by which {in_pauses.sum()} of "
            f"{len(seconds)} lie in a pause of the recording ({_listed(seconds[in_pauses])} s); if they count samples, "
            "the column sample must say so"
        )
    return span.by_clock(seconds)


def _listed(onsets: np.ndarray) -> str:
    more = f" and {len(onsets) - LISTED} more" if len(onsets) > LISTED else ""
    return ", ".join(f"{onset:g}" for onset in onsets[:LISTED]) + more
