"""Waveforms and scalp fields of the events that are added to real EEG.

The shapes follow the descriptions in the glossary of the International Federation of Clinical Neurophysiology (Kane et
al. 2017, Clin. Neurophysiol. Pract. 2:170-185): a spike lasts 20-70 ms and is followed by a slow wave; periodic
discharges recur at nearly regular intervals; muscle artefact is fast and irregular; a pop is a step that decays.
"""

import numpy as np
from scipy import signal


def gaussian(t: np.ndarray, width: float) -> np.ndarray:
    """Return a bell of height 1 at ``t`` = 0; ``t`` and ``width`` (standard deviation) in seconds."""
    return np.exp(-0.5 * (t / width) ** 2)


def spike_and_wave(t: np.ndarray, spike: float, wave: float) -> np.ndarray:
    """Return a surface-negative spike at ``t`` = 0, a short positive rebound, and a negative slow wave.

    Args:
        t: seconds from the spike's peak.
        spike: standard deviation of the spike, seconds (full width at half height: 2.4 times that).
        wave: standard deviation of the slow wave, seconds.
    """
    rebound = gaussian(t - 3 * spike, 1.5 * spike)
    return -gaussian(t, spike) + 0.35 * rebound - 0.6 * gaussian(t - 3 * spike - 2 * wave, wave)


def triphasic(t: np.ndarray, width: float) -> np.ndarray:
    """Return a blunt negative - positive - negative complex whose positive phase peaks at ``t`` = 0.

    Args:
        t: seconds from the main peak.
        width: standard deviation of the main phase, seconds.
    """
    before, after = gaussian(t + 2.2 * width, 0.8 * width), gaussian(t - 3 * width, 1.8 * width)
    return gaussian(t, width) - 0.6 * before - 0.5 * after


def sharp_discharge(t: np.ndarray, width: float) -> np.ndarray:
    """Return a negative sharp wave at ``t`` = 0 and a shallow positive tail; arguments as in :func:`triphasic`."""
    return -gaussian(t, width) + 0.45 * gaussian(t - 3.5 * width, 2 * width)


def train(t: np.ndarray, times: np.ndarray, discharge) -> np.ndarray:
    """Return the sum of one discharge at each of ``times`` (seconds)."""
    return sum(discharge(t - time) for time in times)


def electrode_pop(t: np.ndarray, decay: float) -> np.ndarray:
    """Step of height 1 at ``t`` = 0, over in 4 ms, that decays with the time constant ``decay`` (seconds)."""
    return np.clip(t / 0.004, 0, 1) * np.exp(-np.clip(t, 0, None) / decay)


def muscle_burst(rng: np.random.Generator, channels: int, samples: int, sfreq: float, band) -> np.ndarray:
    """Draw band-limited noise under a tapered envelope, independent on each channel, of standard deviation about 1.

    Args:
        rng: source of all randomness.
        channels: number of channels.
        samples: length in samples.
        sfreq: sampling rate in Hz.
        band: lower and upper edge of the band in Hz.

    Returns:
        (channels, samples)
    """
    noise = rng.standard_normal((channels, samples))
    noise = signal.sosfiltfilt(signal.butter(2, band, "bandpass", fs=sfreq, output="sos"), noise)
    return noise / noise.std() * signal.windows.tukey(samples, 0.4)


def focal_field(positions: np.ndarray, focus: np.ndarray, spread: float) -> np.ndarray:
    """Return the weight of a focal source at each electrode: a bell of the distance.

    Args:
        positions: (electrodes, 3), metres.
        focus: (3,), metres.
        spread: standard deviation, metres.

    Returns:
        (electrodes,), 1 at the focus.
    """
    return gaussian(np.linalg.norm(positions - focus, axis=-1), spread)
