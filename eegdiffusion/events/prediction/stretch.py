"""A stretch of a recording, taken as a recording of its own."""

import math
from dataclasses import dataclass, replace
from datetime import timedelta

from eegdiffusion.core.recordings.continuity import Piece
from eegdiffusion.core.recordings.electrode_recording import ElectrodeRecording
from eegdiffusion.core.runtime.errors import InputError


@dataclass(frozen=True)
class Stretch:
    """Seconds of a recording on its clock.

    Attributes:
        start_s: first second, counted from the recording's first sample.
        stop_s: where it ends; None for the end of the recording.
    """

    start_s: float = 0.0
    stop_s: float | None = None

    @property
    def whole(self) -> bool:
        """Whether it is all of the recording."""
        return self.start_s == 0 and self.stop_s is None


def cut_out(recording: ElectrodeRecording, stretch: Stretch) -> ElectrodeRecording:
    """Return a stretch as a recording, whose clock begins with it; its samples are read as before.

    Args:
        recording: the recording.
        stretch: seconds of it; the stretch begins with the first sample in it.

    Raises:
        InputError: the recording has no sample in it.
    """
    if stretch.whole:
        return recording
    rate_hz, stop_s = recording.rate_hz, recording.duration_s if stretch.stop_s is None else stretch.stop_s
    pieces = []
    for piece in recording.pieces:
        samples = piece.stop_sample - piece.first_sample
        # To rounding, the first sample at or after the beginning, and the last before the end.
        first = min(max(0, _sample_at(stretch.start_s - piece.onset_s, rate_hz)), samples)
        stop = min(max(0, _sample_at(stop_s - piece.onset_s, rate_hz)), samples)
        if first < stop:
            onset_s = piece.onset_s + first / rate_hz - stretch.start_s
            pieces.append(Piece(piece.first_sample + first, piece.first_sample + stop, onset_s))
    if not pieces:
        raise InputError(
            f"{recording.path}: --start, --stop: must hold some of the recording's {recording.duration_s:g} s (found "
            f"{stretch.start_s:g} to {stop_s:g} s)"
        )
    start = recording.start and recording.start + timedelta(seconds=stretch.start_s)
    return replace(recording, pieces=pieces, start=start)


def _sample_at(seconds: float, rate_hz: float) -> int:
    return math.ceil(seconds * rate_hz - 1e-6)


def seconds_of(text: str) -> float:
    """Return the seconds that text says: a number, or hours, minutes and seconds, ``H:MM:SS``.

    Raises:
        ValueError: it says none.
    """
    parts = text.split(":")
    if len(parts) > 3:
        raise ValueError(text)
    values = [float(part) for part in parts]
    if not all(0 <= value < float("inf") for value in values) or any(value >= 60 for value in values[1:]):
        raise ValueError(text)
    total = 0.0
    for value in values:
        total = 60 * total + value
    return total
