"""Filtering and resampling as EEGDM's preprocessing does it, with MNE's default FIR filters."""

from typing import Annotated, Literal

import mne
import numpy as np
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
    resample_method: Literal["fft", "polyphase"] = "fft"
    """MNE's method of resampling: by Fourier transform, or by a polyphase filter."""


EEGDM = Filtering()
"""The settings of EEGDM (arXiv:2508.14086)."""


def resampled_length(samples: int, rate_hz: float, filtering: Filtering) -> int:
    """Return the number of samples that :func:`filtered` returns for ``samples`` at ``rate_hz``."""
    return max(round(samples * filtering.rate_hz / rate_hz), 1)


def filtered(signals: np.ndarray, rate_hz: float, filtering: Filtering) -> np.ndarray:
    """Band-pass, notch and resample signals.

    Args:
        signals: (channels, samples) float64, in any unit.
        rate_hz: their sampling rate; more than twice ``high_hz``.
        filtering: edges of the band, frequency of the notch, and the rate to resample to.

    Returns:
        (channels, resampled_length(samples, rate_hz, filtering)) float64.
    """
    raw = mne.io.RawArray(signals, mne.create_info(len(signals), rate_hz, "eeg"), verbose="error")
    with mne.utils.use_log_level("error"):
        raw.filter(filtering.low_hz, filtering.high_hz, picks="all")
        raw.notch_filter(filtering.notch_hz, picks="all")
        raw.resample(filtering.rate_hz, method=filtering.resample_method)
    return raw.get_data()
