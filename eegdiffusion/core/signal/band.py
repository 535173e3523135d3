"""The zero-phase band filter of epochs and of the recordings that they are cut from."""

import numpy as np

from eegdiffusion.core.runtime.errors import InputError

ORDER = 4
"""Of the Butterworth filter, which runs forwards and backwards."""


def band_sections(low_hz: float, high_hz: float, sfreq: float) -> np.ndarray:
    """Design the filter as second-order sections.

    Raises:
        InputError: the band does not lie between 0 and half the sampling rate.
    """
    if not 0 < low_hz < high_hz < sfreq / 2:
        raise InputError(
            f"band: must lie between 0 and half the sampling rate, {sfreq / 2:g} Hz (found {low_hz:g} to {high_hz:g})"
        )
    from scipy.signal import butter

    return butter(ORDER, (low_hz, high_hz), "bandpass", fs=sfreq, output="sos")


def settling_samples(low_hz: float, high_hz: float, sfreq: float) -> int:
    """Return how many samples it takes the filter to forget its beginning, to 1e-4: ten times its slowest decay."""
    return round(4 * sfreq / min(low_hz, (high_hz - low_hz) / 2))
