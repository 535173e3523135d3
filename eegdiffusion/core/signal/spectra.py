"""Power spectra of real and generated EEG, and how far apart they are in each frequency band."""

import numpy as np
import pandas

from eegdiffusion.core.runtime.errors import InputError

BANDS = {
    "delta": (0.5, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "beta": (13.0, 30.0),
    "gamma": (30.0, 75.0),
}
"""Ends of the bands, Hz; the last is where preprocessing filters."""

SEGMENT_S = 2.0
"""Length of Welch's segments: a resolution of 0.5 Hz."""


def welch(signals: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the power spectral density by Welch's method, averaged over signals.

    Windows are Hann's, of two seconds, and overlap by half.

    Args:
        signals: (channels, signals, samples), uV.
        rate_hz: sampling rate.

    Returns:
        frequencies (bins,) in Hz and density (channels, bins) in uV^2/Hz.

    Raises:
        InputError: the signals are shorter than a segment, sampled too slowly for the bands, or not finite.
    """
    segment = round(SEGMENT_S * rate_hz)
    if signals.shape[-1] < segment:
        raise InputError(f"signals: must last {SEGMENT_S} s or more (found {signals.shape[-1] / rate_hz} s)")
    if rate_hz < 2 * BANDS["gamma"][1]:
        raise InputError(f"rate_hz: must be {2 * BANDS['gamma'][1]} or more (found {rate_hz})")
    if not np.isfinite(signals).all():
        raise InputError(f"signals: must be finite (found {(~np.isfinite(signals)).sum()} that are not)")
    return mean_density(signals, rate_hz, segment)


def mean_density(signals: np.ndarray, rate_hz: float, segment: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the power spectral density by Welch's method as :func:`welch` does, whatever the length and the rate.

    Args:
        signals: (channels, signals, samples), uV.
        rate_hz: sampling rate.
        segment: samples of Welch's segments, at most those of a signal.
    """
    from scipy import signal

    frequencies, density = signal.welch(signals, rate_hz, nperseg=segment)
    return frequencies, density.mean(axis=1)


def band_power(frequencies: np.ndarray, density: np.ndarray) -> np.ndarray:
    """Return the power in each of :data:`BANDS`, uV^2, by the trapezoid rule: (channels, bins) -> (channels, bands)."""
    inside = [(frequencies >= low) & (frequencies <= high) for low, high in BANDS.values()]
    return np.stack([np.trapezoid(density[:, band], frequencies[band], axis=1) for band in inside], axis=1)


def band_differences(
    frequencies: np.ndarray, real: np.ndarray, generated: np.ndarray, channels: list[str]
) -> pandas.DataFrame:
    """Compare densities (channels, bins) in each band.

    Returns:
        a row for each band and channel: ``band``, ``low_hz``, ``high_hz``, ``channel``, log10 of the power in uV^2
        (``real``, ``generated``), and ``difference``, generated minus real: +1 is ten times the power.
    """
    powers = {
        "real": np.log10(band_power(frequencies, real)),
        "generated": np.log10(band_power(frequencies, generated)),
    }
    rows = [
        {"band": band, "low_hz": low, "high_hz": high, "channel": channel}
        | {name: power[c, b] for name, power in powers.items()}
        for b, (band, (low, high)) in enumerate(BANDS.items())
        for c, channel in enumerate(channels)
    ]
    table = pandas.DataFrame(rows)
    return table.assign(difference=table["generated"] - table["real"])
