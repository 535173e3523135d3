"""The channels of a montage from the pieces of a recording, each filtered by itself, in little memory."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from eegdiffusion.core.recordings.channel_derivation import DerivedChannels
from eegdiffusion.core.recordings.continuity import Piece
from eegdiffusion.core.signal.filtering import Filtering, filtered
from eegdiffusion.core.signal.units import UNITS_PER_VOLT
from eegdiffusion.events.corpora.window_labels import preprocessed_offsets

_AT_ONCE = 1 << 22
"""Samples that are read at once: an hour of four channels; a longer piece goes through channel by channel."""


def derive_pieces(
    read: Callable[[Sequence[int], int, int], np.ndarray],
    pieces: Sequence[Piece],
    sfreq: float,
    channels: DerivedChannels,
    filtering: Filtering,
) -> np.ndarray:
    """Filter, resample and derive pieces of a recording, one after another.

    Args:
        read: (rows, first, stop) -> (rows, samples) float64 in volts.
        pieces: the pieces.
        sfreq: sampling rate in Hz.
        channels: how the montage's channels follow from the rows.
        filtering: filters and rate.

    Returns:
        (channels, samples) float64 in units of 100 uV.
    """
    length = sum(samples for _, samples in preprocessed_offsets(pieces, sfreq, filtering))
    derived, first = np.zeros((len(channels.sums), length)), 0
    for group in _alike(pieces):
        samples = group[0].stop_sample - group[0].first_sample
        stop = first + sum(samples for _, samples in preprocessed_offsets(group, sfreq, filtering))
        several = max(1, _AT_ONCE // (samples * len(group)))
        for begin in range(0, len(channels.rows), several):
            rows = channels.rows[begin : begin + several]
            signals = np.stack([read(rows, piece.first_sample, piece.stop_sample) for piece in group], axis=1)
            resampled = filtered(signals.reshape(-1, samples), sfreq, filtering).reshape(len(rows), -1)
            del signals
            for row, signal in enumerate(resampled, begin):
                channels.add(row, signal, derived[:, first:stop])
        first = stop
    derived *= UNITS_PER_VOLT
    return derived


def _alike(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Yield neighbours of one length together, few enough for a channel of them to be read at once."""
    group: list[Piece] = []
    for piece in pieces:
        samples = piece.stop_sample - piece.first_sample
        same = group and samples == group[0].stop_sample - group[0].first_sample
        if group and not (same and (len(group) + 1) * samples <= _AT_ONCE):
            yield group
            group = []
        group.append(piece)
    if group:
        yield group
