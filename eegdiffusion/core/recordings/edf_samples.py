"""The samples of an EDF or BDF file in volts, part by part; to the bit what MNE reads where MNE knows the units."""

from collections.abc import Callable, Sequence

import numpy as np

from eegdiffusion.core.recordings.edf_header import Header
from eegdiffusion.core.recordings.units import require_microvolts

_BLOCK_BYTES = 1 << 24


def read_records(header: Header, first: int, count: int, signals: Sequence[int]) -> np.ndarray:
    """Read some data records of signals that share a rate.

    Args:
        header: header of the file.
        first: first record.
        count: number of records; they must be in the file.
        signals: positions of the signals in the file.

    Returns:
        (signals, samples) float64 in volts.

    Raises:
        InputError: a signal's unit is none of voltage.
    """
    values = _read_numbers(header, first, count, signals)
    for row, k in enumerate(signals):
        values[row] *= require_microvolts(header.path, header.labels[k], header.channels["unit"][k]) / 1e6
    return values


def _read_numbers(header: Header, first: int, count: int, signals: Sequence[int]) -> np.ndarray:
    """Read some data records as :func:`read_records` does, in each signal's own unit."""
    channels = header.channels
    samples = channels["samples"][signals[0]]
    ends = np.cumsum(channels["samples"])
    values = np.empty((len(signals), count * samples))
    several = max(1, _BLOCK_BYTES // header.record_bytes)
    with header.path.open("rb") as file:
        file.seek(header.size + first * header.record_bytes)
        for begin in range(0, count, several):
            part = min(several, count - begin)
            records = np.frombuffer(file.read(part * header.record_bytes), np.uint8).reshape(part, -1)
            for row, k in enumerate(signals):
                stored = records[:, header.sample_bytes * (ends[k] - samples) : header.sample_bytes * ends[k]]
                values[row, begin * samples : (begin + part) * samples] = _integers(stored, header.sample_bytes)
    for row, k in enumerate(signals):
        gain = (channels["physical_max"][k] - channels["physical_min"][k]) / (
            channels["digital_max"][k] - channels["digital_min"][k]
        )
        values[row] *= gain
        values[row] += channels["physical_min"][k] - channels["digital_min"][k] * gain
    return values


def _integers(stored: np.ndarray, sample_bytes: int) -> np.ndarray:
    """Return the little-endian integers of 2 or 3 bytes in (records, bytes), one after the other."""
    if sample_bytes == 2:
        return np.ascontiguousarray(stored).view("<i2").ravel()
    octets = stored.reshape(-1, 3).astype(np.int32)
    return (octets[:, 0] | octets[:, 1] << 8 | octets[:, 2] << 16) - (octets[:, 2] >> 7 << 24)


def read_samples(header: Header, start: int, stop: int, signals: Sequence[int]) -> np.ndarray:
    """Read the samples from ``start`` to before ``stop`` of signals that share a rate: (signals, samples) in volts.

    Raises:
        InputError: a signal's unit is none of voltage.
    """
    return _between(read_records, header, start, stop, signals)


def read_numbers(header: Header, start: int, stop: int, signals: Sequence[int]) -> np.ndarray:
    """Read the samples from ``start`` to before ``stop``: (signals, samples) float64 in each signal's own unit."""
    return _between(_read_numbers, header, start, stop, signals)


def _between(
    read: Callable[[Header, int, int, Sequence[int]], np.ndarray],
    header: Header,
    start: int,
    stop: int,
    signals: Sequence[int],
) -> np.ndarray:
    record = header.channels["samples"][signals[0]]
    first = start // record
    values = read(header, first, -(-stop // record) - first, signals)
    return values[:, start - first * record : stop - first * record]
