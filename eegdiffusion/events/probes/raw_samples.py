"""Raw samples at a low rate as features: the oldest ones of evoked and slow potentials."""

from fractions import Fraction

import numpy as np
import scipy


def raw_samples(signals: np.ndarray, sfreq: float, rate_hz: float) -> np.ndarray:
    """Resample windows by a polyphase filter, and lay their channels one after another.

    Args:
        signals: (windows, channels, samples).
        sfreq: their sampling rate in Hz.
        rate_hz: the rate of the features in Hz.

    Returns:
        (windows, channels * samples at that rate) float32.
    """
    ratio = Fraction(rate_hz / sfreq).limit_denominator(10_000)
    resampled = scipy.signal.resample_poly(signals, ratio.numerator, ratio.denominator, axis=-1, padtype="line")
    return resampled.reshape(len(signals), -1).astype(np.float32, copy=False)
