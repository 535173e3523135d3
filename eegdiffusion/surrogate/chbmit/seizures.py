"""Seizures that are planted: rhythmic discharges that begin at a focus, slow down, grow and spread.

Their course follows what electroencephalography describes of focal seizures (Blume et al. 1984, Electroencephalogr.
Clin. Neurophysiol. 57:434-441): low and fast at the onset, high and slow before an abrupt end.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import signal

from eegdiffusion.surrogate.tuev import waveforms

FOCI = ("F7", "T7", "P7", "C3", "F8", "T8", "P8", "C4")
"""Electrodes above which seizures begin."""


class Seizure(NamedTuple):
    """Start and end in seconds from the recording's first sample, whole as in the summaries."""

    start_s: int
    stop_s: int


@dataclass(frozen=True)
class Person:
    """What a person's recordings have in common; frequencies in Hz.

    Attributes:
        gain: of all EEG.
        noise: standard deviation of an electrode's noise in volts.
        focus: electrode above which seizures begin.
        first_hz, last_hz: frequency of the discharges at the beginning and at the end.
        sharpness: 0 for sines, 1 for spikes.
        strength: amplitude of the seizures over that of a typical person's.
    """

    gain: float
    noise: float
    focus: str
    first_hz: float
    last_hz: float
    sharpness: float
    strength: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Person":
        """Draw a person."""
        return cls(
            gain=rng.lognormal(0, 0.25),
            noise=rng.uniform(0.3e-6, 1.5e-6),
            focus=str(rng.choice(FOCI)),
            first_hz=rng.uniform(6, 10),
            last_hz=rng.uniform(2, 3.5),
            sharpness=rng.uniform(0.2, 0.8),
            strength=rng.lognormal(0, 0.3),
        )


def discharges(seconds: float, rate_hz: float, person: Person) -> np.ndarray:
    """Return the discharges of a seizure, (samples,), at most about 1 high."""
    share = np.linspace(0, 1, round(seconds * rate_hz), endpoint=False)
    frequency = person.first_hz * (person.last_hz / person.first_hz) ** share
    phase = 2 * np.pi * np.cumsum(frequency) / rate_hz
    shape = np.sin(phase) + person.sharpness * np.sin(2 * phase + 0.5) + 0.5 * person.sharpness * np.sin(3 * phase + 1)
    growth = 0.25 + 0.75 * np.clip(share / 0.6, 0, 1)
    ends = np.clip(np.minimum(share, 1 - share) * seconds / 0.5, 0, 1)  # half a second in and out
    return growth * ends * shape / (1 + 0.7 * person.sharpness)


def add_seizure(
    signals: np.ndarray, positions: np.ndarray, focus: np.ndarray, seizure: Seizure, person: Person, rate_hz: float,
    amplitude: float,
) -> None:  # fmt: skip
    """Add a seizure to (electrodes, samples), in place.

    Args:
        signals: EEG in volts.
        positions: (electrodes, 3) in metres.
        focus: (3,) in metres.
        seizure: when it is.
        person: whose it is.
        rate_hz: sampling rate.
        amplitude: its height in volts.
    """
    wave = discharges(seizure.stop_s - seizure.start_s, rate_hz, person)
    share = np.linspace(0, 1, len(wave))
    near, wide = (waveforms.focal_field(positions, focus, spread) for spread in (0.035, 0.08))
    field = near[:, None] * (1 - share) + wide[:, None] * share  # it spreads
    first = round(seizure.start_s * rate_hz)
    signals[:, first : first + len(wave)] += amplitude * field * wave


def add_confusable(
    signals: np.ndarray, positions: np.ndarray, person: Person, rate_hz: float, amplitude: float,
    free: np.ndarray, rng: np.random.Generator,
) -> None:  # fmt: skip
    """Add what looks like a seizure and is none, in place: rhythmic runs of two to four seconds, and muscle artefacts.

    Args:
        signals: EEG (electrodes, samples) in volts.
        positions: (electrodes, 3) in metres.
        person: whose it is.
        rate_hz: sampling rate.
        amplitude: height of a seizure in volts.
        free: starts in seconds, some of which are taken; five seconds after each are free of seizures.
        rng: source of all randomness.
    """
    for number, start in enumerate(rng.permutation(free)[: len(free) // 4]):
        first, seconds = round(start * rate_hz), rng.uniform(2, 4)
        place = positions[rng.integers(len(positions))]
        field = waveforms.focal_field(positions, place, 0.05)[:, None]
        if number % 2:
            low = rng.uniform(18, 30)
            burst = waveforms.muscle_burst(rng, len(positions), round(seconds * rate_hz), rate_hz, (low, low + 35))
            added = 0.5 * amplitude * field * burst
        else:
            run = np.sin(2 * np.pi * rng.uniform(2.5, 9) * np.arange(round(seconds * rate_hz)) / rate_hz)
            added = rng.uniform(0.4, 1) * amplitude * field * run * signal.windows.tukey(len(run), 0.5)
        signals[:, first : first + added.shape[1]] += added
