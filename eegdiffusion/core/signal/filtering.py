"""Filtering and resampling as EEGDM's preprocessing does it, with MNE's default FIR filters."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Annotated, Literal

import mne
import numpy as np
import scipy
from annotated_types import Gt

from eegdiffusion.core.runtime.settings import settings


@settings
class Filtering:
    """Band-pass, notch, then resampling."""

    low_hz: Annotated[float, Gt(0)] = 0.1
    """Lower edge of the band-pass filter in Hz."""
    high_hz: Annotated[float, Gt(0)] = 75.0
    """Upper edge of the band-pass filter in Hz."""
    notch_hz: Annotated[float, Gt(0)] = 50.0
    """Frequency of the power line in Hz, which a notch filter removes."""
    rate_hz: Annotated[float, Gt(0)] = 200.0
    """Sampling rate in Hz to which the filtered signals are resampled."""
    resample_method: Literal["fft", "polyphase", "fft_first"] = "fft"
    """Method of resampling: MNE's by Fourier transform (`fft`) or by a polyphase filter (`polyphase`), after the
    filters; or SciPy's by Fourier transform of the signal as it was recorded, before them (`fft_first`)."""

    def __post_init__(self) -> None:
        if self.resample_method == "fft_first" and self.rate_hz <= 2 * max(self.high_hz, self.notch_hz):
            rule = f"must exceed {2 * max(self.high_hz, self.notch_hz):g} where signals are filtered at it"
            raise ValueError(f"rate_hz: {rule}, by resample_method fft_first (found {self.rate_hz:g})")


EEGDM = Filtering()
"""The settings of EEGDM (arXiv:2508.14086)."""

EEGDM_CHBMIT = Filtering(low_hz=0.5, notch_hz=60.0, resample_method="fft_first")
"""The settings of EEGDM's public implementation for windows of CHB-MIT."""


def resampled_length(samples: int, rate_hz: float, filtering: Filtering) -> int:
    """Return the number of samples that :func:`filtered` returns for ``samples`` at ``rate_hz``."""
    return max(round(samples * filtering.rate_hz / rate_hz), 1)


TOGETHER = 2**18
"""Samples of short signals that are filtered together, as designing the filters costs more than applying them."""

LONGEST = 2**23 - 200
"""Samples of a channel that are filtered at once: as many as the padding makes 2**23, whose transform takes 0.3 GiB."""

_PAD = 100


def filtered(signals: np.ndarray, rate_hz: float, filtering: Filtering) -> np.ndarray:
    """Band-pass, notch and resample signals, few at a time, so that memory is that of a few copies of one.

    Args:
        signals: (channels, samples) float64, in any unit; they are filtered in place.
        rate_hz: their sampling rate; more than twice ``high_hz``.
        filtering: edges of the band, frequency of the notch, and the rate to resample to.

    Returns:
        (channels, resampled_length(samples, rate_hz, filtering)) float64.
    """
    resampled = np.empty((len(signals), resampled_length(signals.shape[1], rate_hz, filtering)))
    rows = max(TOGETHER // max(signals.shape[1], 1), 1)
    for first in range(0, len(signals), rows):
        together, filtered_hz = _resampled_first(signals[first : first + rows], rate_hz, filtering)
        for row, signal in enumerate(_filter_in_place(together, filtered_hz, filtering), first):
            resampled[row] = _resampled(signal, filtered_hz, filtering)
    return resampled


def filtered_in_blocks(
    read: Callable[[int, int], np.ndarray],
    samples: int,
    rate_hz: float,
    filtering: Filtering,
    longest: int = LONGEST,
) -> Iterator[tuple[int, np.ndarray]]:
    """Band-pass, notch and resample a channel, in blocks where it is very long.

    A channel of ``longest`` samples or fewer is one block, with the values of :func:`filtered`. Blocks of a longer one
    overlap by twice the band-pass filter's length, and begin where a sample of the new rate lies on one of the old.

    Args:
        read: (start, stop) -> (samples,) float64, which is filtered in place.
        samples: length of the channel.
        rate_hz: its sampling rate; more than twice ``high_hz``.
        filtering: edges of the band, frequency of the notch, and the rate to resample to.
        longest: samples in a block, without what it shares with others.

    Yields:
        first sample of each block at the new rate, and its samples: (samples,) float64.
    """
    if samples <= longest:
        yield 0, _filtered_channel(read(0, samples), rate_hz, filtering)
        return
    ratio = Fraction(filtering.rate_hz / rate_hz).limit_denominator(10_000)
    unit = ratio.denominator
    overlap = -(-round(2 * 3.3 / filtering.low_hz * rate_hz) // unit) * unit
    step = max(longest // unit, 1) * unit
    for start in range(0, samples, step):
        low, stop = max(start - overlap, 0), min(start + step, samples)
        values = _filtered_channel(read(low, min(stop + overlap, samples)), rate_hz, filtering, unit)
        begin = round((start - low) * ratio)
        end = round((stop - low) * ratio) if stop < samples else len(values)
        yield round(start * ratio), values[begin:end]


def _filtered_channel(signal: np.ndarray, rate_hz: float, filtering: Filtering, unit: int = 0) -> np.ndarray:
    """Filter a channel in place, and resample it; see :func:`_resampled`."""
    signal, rate_hz = _resampled_first(signal, rate_hz, filtering)
    return _resampled(_filter_in_place(signal, rate_hz, filtering), rate_hz, filtering, unit)


def _resampled_first(signals: np.ndarray, rate_hz: float, filtering: Filtering) -> tuple[np.ndarray, float]:
    """Return signals (..., samples) and their rate as they are to be filtered: resampled, where that comes first."""
    if filtering.resample_method != "fft_first":
        return signals, rate_hz
    length = resampled_length(signals.shape[-1], rate_hz, filtering)
    return np.apply_along_axis(scipy.signal.resample, -1, signals, length), filtering.rate_hz


def _filter_in_place(signals: np.ndarray, rate_hz: float, filtering: Filtering) -> np.ndarray:
    """Band-pass and notch signals (..., samples) float64 in place, each as by itself."""
    with mne.utils.use_log_level("error"):
        signals = mne.filter.filter_data(signals, rate_hz, filtering.low_hz, filtering.high_hz, copy=False)
        return mne.filter.notch_filter(signals, rate_hz, filtering.notch_hz, copy=False)


def _resampled(signal: np.ndarray, rate_hz: float, filtering: Filtering, unit: int = 0) -> np.ndarray:
    """Resample a channel.

    The resampling by Fourier transform is MNE's, to the bit, without the several more copies of the signal that MNE
    holds in memory.

    Args:
        signal: (samples,) float64.
        rate_hz: its sampling rate.
        filtering: the rate to resample to, and how.
        unit: 0 to pad to a power of two, as MNE does, which moves the new samples by up to half of one; else a number
            of samples that is a whole number at the new rate, by multiples of which is padded, which moves none.

    Returns:
        (resampled_length(samples, rate_hz, filtering),) float64.
    """
    if filtering.rate_hz == rate_hz:
        return signal
    if filtering.resample_method != "fft":
        with mne.utils.use_log_level("error"):
            return mne.filter.resample(signal, filtering.rate_hz, rate_hz, method=filtering.resample_method)
    ratio = filtering.rate_hz / rate_hz
    padded, left = _padded(signal, unit)
    kept = resampled_length(len(signal), rate_hz, filtering)
    del signal
    length, padded_length = max(round(ratio * len(padded)), 1), len(padded)
    spectrum = scipy.fft.rfft(padded)
    del padded
    used = min(length, padded_length)
    if used % 2 == 0:
        spectrum[used // 2] *= 2 if length < padded_length else 0.5
    spectrum *= length / padded_length
    first = round(ratio * left)
    return scipy.fft.irfft(spectrum, length)[first : first + kept]


def _padded(signal: np.ndarray, unit: int) -> tuple[np.ndarray, int]:
    """Pad a signal with its reflection, and zeros where that is too short; return it and the samples before."""
    samples, least = len(signal), min(len(signal) // 8, _PAD)
    if unit:
        left = -(-least // unit) * unit
        right = unit * scipy.fft.next_fast_len(-(-(samples + left + least) // unit), real=True) - samples - left
    else:
        left, odd = divmod(2 ** int(np.ceil(np.log2(samples + 2 * least))) - samples, 2)
        right = left + odd
    padded = np.zeros(left + samples + right)
    padded[left : left + samples] = signal
    before, after = min(left, samples - 1), min(right, samples - 1)
    padded[left - before : left] = 2 * signal[0] - signal[before:0:-1]
    padded[left + samples : left + samples + after] = 2 * signal[-1] - signal[-2 : -after - 2 : -1]
    return padded, left
