"""Signals as 16-bit integers with a scale for each channel, the form in which both stores keep them."""

import numpy as np

FULL_SCALE = 32767
"""Code of a channel's largest absolute value."""


def quantise(signals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn signals into 16-bit integers and one scale a channel; the error is at most half a scale.

    A channel that peaks at 1 mV is kept to 0.015 uV, finer than the 16 bits of the EDF file it came from.

    Args:
        signals: (..., channels, samples) of any unit.

    Returns:
        int16 codes of the same shape, and scales (..., channels) by which codes are multiplied to give the signals.
    """
    scale = np.maximum(signals.max(axis=-1), -signals.min(axis=-1)) / FULL_SCALE
    scale = np.where(scale > 0, scale, 1.0)
    codes = np.empty(signals.shape, np.int16)
    for out, values, scales in zip(codes, signals, scale, strict=True):  # a night's signals are not copied at once
        out[...] = np.rint(values / scales[..., None])
    return codes, scale
