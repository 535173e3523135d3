"""A recording preprocessed as the model's training data were, on disk: memory does not grow with its length."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eegdiffusion.core.recordings.continuity import Piece
from eegdiffusion.core.recordings.electrode_recording import NOT_FINITE, ElectrodeRecording, PartialDerivation
from eegdiffusion.core.runtime.errors import InputError, UnavailableError
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.core.signal.filtering import filtered_in_blocks, resampled_length
from eegdiffusion.core.signal.preprocessing import Preprocessing
from eegdiffusion.core.signal.units import UNITS_PER_VOLT
from eegdiffusion.events.prediction.electrode_files import ElectrodeFiles
from eegdiffusion.events.prediction.window_faults import window_faults

STEP_S = 1
"""Seconds between windows."""

_ITEM = np.dtype(np.float64).itemsize


@dataclass(frozen=True)
class DerivedPiece:
    """A piece of the recording after resampling.

    Attributes:
        recorded: the piece as recorded.
        first, samples: where it lies among the derived samples of all pieces, one after the other.
        starts: first samples of its windows, counted as ``first`` is; a second apart, and none goes beyond its end.
    """

    recorded: Piece
    first: int
    samples: int
    starts: np.ndarray

    @property
    def onset_s(self) -> float:
        """Time of its first sample on the clock, in seconds after the recording's first sample."""
        return self.recorded.onset_s


class DerivedSignals:
    """The derivations of a recording: filtered channels in a file without a name, subtracted when read.

    Attributes:
        pieces: the recording's pieces, in order.
        channels: names of the derivations that the recording gives, in the model's order.
        lacking: the model's other channels, and why the recording does not give them.
        recorded: what each recorded channel is that they are made of.
        rate_hz: sampling rate.
        clock_samples: samples from the recording's first to its last on the clock, pauses included.
    """

    def __init__(
        self,
        folder: Path | None,
        pieces: Sequence[DerivedPiece],
        preprocessing: Preprocessing,
        derivation: PartialDerivation,
    ):
        """Make the file in ``folder``; None takes the system's folder of temporary files."""
        self.pieces = list(pieces)
        self.derived = derivation.channels
        self.channels, self.recorded = self.derived.names, self.derived.recorded
        self.lacking = derivation.lacking
        self.rate_hz = preprocessing.filtering.rate_hz
        self.samples = sum(piece.samples for piece in self.pieces)
        self.clock_samples = max(self._on_clock(piece) + piece.samples for piece in self.pieces)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (it is read as long as the object lives)

    def _on_clock(self, piece: DerivedPiece) -> int:
        return round(piece.onset_s * self.rate_hz)

    def write(self, row: int, first: int, values: np.ndarray) -> None:
        """Keep filtered samples of a recorded channel from the sample ``first`` on: (samples,) float64 in volts.

        Raises:
            UnavailableError: the disk does not take them.
        """
        try:
            self._file.seek((row * self.samples + first) * _ITEM)
            self._file.write(np.ascontiguousarray(values).data)
            self._file.flush()
        except OSError as error:
            size = len(self.recorded) * self.samples * _ITEM / 2**30
            raise UnavailableError(
                f"filtered signals: could not be kept on disk ({error}); they take {size:.2g} GiB beside the results"
            ) from error

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read the derivations: (channels, stop - start) float64 in units of 100 uV. Threads may read side by side."""
        length = (stop - start) * _ITEM
        rows = [
            np.frombuffer(os.pread(self._file.fileno(), length, (row * self.samples + start) * _ITEM))
            for row in range(len(self.recorded))
        ]
        return self.derived.derive(np.stack(rows)) * UNITS_PER_VOLT

    def read_clock(self, start: int, stop: int, pause: float) -> np.ndarray:
        """Read the derivations between two samples on the clock, with ``pause`` for what was not recorded.

        Returns:
            (channels, stop - start) float64 in units of 100 uV.
        """
        values = np.full((len(self.channels), stop - start), pause)
        for piece in self.pieces:
            offset = self._on_clock(piece)
            low, high = max(start, offset), min(stop, offset + piece.samples)
            if low < high:
                values[:, low - start : high - start] = self.read(
                    low - offset + piece.first, high - offset + piece.first
                )
        return values


def _lay_out(recording: ElectrodeRecording, preprocessing: Preprocessing) -> list[DerivedPiece]:
    rate_hz, window = preprocessing.filtering.rate_hz, preprocessing.window
    step = round(STEP_S * rate_hz)
    pieces, first = [], 0
    for piece in recording.pieces:
        recorded = piece.stop_sample - piece.first_sample
        samples = resampled_length(recorded, recording.rate_hz, preprocessing.filtering)
        # A piece that is shorter than a window as recorded has none.
        usable = samples if recorded >= window / rate_hz * recording.rate_hz else 0
        pieces.append(DerivedPiece(piece, first, samples, first + np.arange(0, usable - window + 1, step)))
        first += samples
    return pieces


def derive(
    recording: ElectrodeRecording, preprocessing: Preprocessing, folder: Path | None = None, fewest: int | None = None
) -> tuple[DerivedSignals, np.ndarray]:
    """Filter and resample each piece of a recording by itself, channel by channel; the recording is read once.

    Args:
        recording: the recording.
        preprocessing: what the model carries.
        folder: where signals are kept as long as they are needed.
        fewest: channels that the model must have at least; None: all.

    Returns:
        the derivations; the faults of the recorded channels, by :func:`window_faults`, (2, recorded, windows) of bool.

    Raises:
        InputError: the recording is sampled too slowly for the model's band-pass, no piece has the length of a window,
            or it gives too few of the model's channels.
        UnavailableError: the disk does not take the signals.
    """
    filtering = preprocessing.filtering
    fewest = len(preprocessing.channels) if fewest is None else fewest
    if recording.rate_hz <= 2 * filtering.high_hz:
        rule = f"must exceed {2 * filtering.high_hz:g} Hz for the band-pass"
        raise InputError(f"{recording.path}: sampling rate: {rule} (found {recording.rate_hz:g})")
    # Before the filters, which take a while: enough of the model's channels must follow from the electrodes.
    derivation = recording.derive(preprocessing.channels)
    derivation.require(recording.path, fewest)
    pieces = _lay_out(recording, preprocessing)
    if not any(len(piece.starts) for piece in pieces):
        longest = max(piece.recorded.stop_sample - piece.recorded.first_sample for piece in pieces)
        pieces_text = f" at most, in {len(pieces)} pieces" if len(pieces) > 1 else ""
        raise InputError(
            f"{recording.path}: duration: must be {preprocessing.window / filtering.rate_hz:g} s or more "
            f"(found {longest / recording.rate_hz:g} s{pieces_text})"
        )
    electrodes, derivation = _copy_channels(recording, derivation, preprocessing.channels, fewest, folder)
    signals = DerivedSignals(folder, pieces, preprocessing, derivation)
    length = round(preprocessing.window / filtering.rate_hz * recording.rate_hz)
    faults: list[np.ndarray] = []
    for row in progress(range(len(signals.recorded)), desc="filtering", unit="channel", leave=None):
        parts = []
        for piece in pieces:
            read = electrodes.reader(row, piece.recorded)
            samples = piece.recorded.stop_sample - piece.recorded.first_sample
            firsts = np.rint((piece.starts - piece.first) / filtering.rate_hz * recording.rate_hz).astype(int)
            # Rounding of the resampled length may ask for a sample beyond the recording's last.
            parts.append(_recorded_faults(read, np.minimum(firsts, samples - length), length))
            for first, block in filtered_in_blocks(read, samples, recording.rate_hz, filtering):
                signals.write(row, piece.first + first, block)
        electrodes.close(row)
        faults.append(np.concatenate(parts, axis=1))
    return signals, np.stack(faults, axis=1)


def _copy_channels(
    recording: ElectrodeRecording, derivation: PartialDerivation, names: Sequence[str], fewest: int, folder: Path | None
) -> tuple[ElectrodeFiles, PartialDerivation]:
    """Copy the channels that derivations are made of; those that turn out to have no numbers are done without."""
    faulty: dict[int, str] = {}
    while True:
        rows = derivation.channels.rows
        electrodes = ElectrodeFiles(recording, rows, folder)
        if electrodes.finite.all():
            return electrodes, derivation
        faulty |= {row: NOT_FINITE for row, finite in zip(rows, electrodes.finite, strict=True) if not finite}
        derivation = recording.derive(names, faulty)
        derivation.require(recording.path, fewest)


def _recorded_faults(read: Callable[[int, int], np.ndarray], firsts: np.ndarray, length: int) -> np.ndarray:
    """Find constant and clipped windows of an electrode, as recorded: (2, windows) of bool."""
    parts = [np.zeros((2, 0), bool)]
    for begin in range(0, len(firsts), 3600):
        some = firsts[begin : begin + 3600]
        low = int(some[0])
        parts.append(window_faults(read(low, int(some[-1]) + length), some - low, length))
    return np.concatenate(parts, axis=1)
