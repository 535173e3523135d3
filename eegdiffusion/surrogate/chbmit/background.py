"""Background of any length from a short stretch of real EEG, with its spectra and its correlations between electrodes.

Segments of the real EEG get the same random phases on all electrodes (Prichard and Theiler 1994, Phys. Rev. Lett.
73:951-954), so that each is another realisation of the same cross-spectra, and are added up where they overlap.
"""

import numpy as np

SEGMENT_S = 8.0
"""Length of a segment: power below an eighth of a hertz is not kept."""


def randomise_phases(segments: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give each segment (segments, electrodes, samples) random phases, the same on all electrodes."""
    spectrum = np.fft.rfft(segments)
    phases = rng.uniform(0, 2 * np.pi, (len(segments), 1, spectrum.shape[-1]))
    return np.fft.irfft(spectrum * np.exp(1j * phases), segments.shape[-1])


def draw_background(real: np.ndarray, samples: int, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    """Draw EEG with the cross-spectra of a real recording.

    Segments from random places follow each other by half of their length, and are faded in and out so that the
    variance is that of the real EEG throughout.

    Args:
        real: (electrodes, samples) in any unit, longer than a segment.
        samples: length to draw.
        rate_hz: sampling rate of both.
        rng: source of all randomness.

    Returns:
        (electrodes, samples) in the same unit.
    """
    length = 2 * round(SEGMENT_S * rate_hz / 2)
    half = length // 2
    fade = np.sin(np.pi * (np.arange(length) + 0.5) / length)  # squares of halves that overlap add up to one
    count = -(-samples // half) + 1
    drawn = np.zeros((len(real), (count + 1) * half))
    for number, start in enumerate(rng.integers(0, real.shape[1] - length, count)):
        segment = real[:, start : start + length]
        segment = randomise_phases((segment - segment.mean(1, keepdims=True))[None], rng)[0]
        drawn[:, number * half : number * half + length] += fade * segment
    return drawn[:, half : half + samples]
