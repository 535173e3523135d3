"""The samples of each electrode of a recording in a file of its own: the recording is read once, from its start.

Recorders store the electrodes' samples among each other, while filters go through one electrode after the other.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from eegdiffusion.core.recordings.continuity import Piece
from eegdiffusion.core.recordings.electrode_recording import ElectrodeRecording
from eegdiffusion.core.runtime.errors import UnavailableError

_AT_ONCE = 1 << 18
"""Samples of all channels that are in memory at a time: 40 MiB."""

_ITEM = np.dtype(np.float64).itemsize


class ElectrodeFiles:
    """Files without a name, one a channel, which hold the pieces of a recording one after the other.

    Args:
        recording: the recording.
        rows: its channels that are kept.
        folder: where the files lie; None takes the system's folder of temporary files.

    Attributes:
        finite: (rows,) of bool, whether a channel has no NaN or infinity.

    Raises:
        InputError: a sample cannot be read.
        UnavailableError: the disk does not take them.
    """

    def __init__(self, recording: ElectrodeRecording, rows: Sequence[int], folder: Path | None):
        self._rows, self.finite = list(rows), np.ones(len(rows), bool)
        self._files: list[BinaryIO] = []
        self._first_byte: dict[Piece, int] = {}
        samples = sum(piece.stop_sample - piece.first_sample for piece in recording.pieces)
        try:
            self._files = [tempfile.TemporaryFile(dir=folder) for _ in self._rows]  # noqa: SIM115 (closed by `close`)
            for piece in recording.pieces:
                self._first_byte[piece] = self._files[0].tell()
                for begin in range(piece.first_sample, piece.stop_sample, _AT_ONCE):
                    self._copy(recording, begin, min(begin + _AT_ONCE, piece.stop_sample))
            for file in self._files:
                file.flush()
        except OSError as error:
            size = len(self._rows) * samples * _ITEM / 2**30
            raise UnavailableError(
                f"electrodes' signals: could not be kept on disk ({error}); they take {size:.2g} GiB beside the results"
            ) from error

    def _copy(self, recording: ElectrodeRecording, begin: int, stop: int) -> None:
        values = recording.read(self._rows, begin, stop)
        self.finite &= np.isfinite(values).all(axis=1)
        for file, signal in zip(self._files, values, strict=True):
            file.write(np.ascontiguousarray(signal).data)

    def reader(self, row: int, piece: Piece) -> Callable[[int, int], np.ndarray]:
        """Return what reads a channel's samples of a piece: (start, stop) -> (samples,) float64 in volts."""
        file, first_byte = self._files[row], self._first_byte[piece]

        def read(start: int, stop: int) -> np.ndarray:
            file.seek(first_byte + start * _ITEM)
            return np.fromfile(file, np.float64, stop - start)

        return read

    def close(self, row: int) -> None:
        """Give back the disk's room for an electrode that is not read any more."""
        self._files[row].close()
