"""What an epoch passes before it enters an encoder: a band filter, and the training set's scale of each electrode."""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from eegdiffusion.core.signal.band import band_sections

FILE = "input.json"


def band_operator(low_hz: float, high_hz: float, sfreq: float, samples: int) -> np.ndarray:
    """Express a zero-phase band filter as a matrix (samples, samples), to be multiplied from the right.

    Epochs are short: below about a cycle an epoch the filter removes little more than the mean.

    Raises:
        InputError: the band does not lie between 0 and half the sampling rate.
    """
    from scipy.signal import sosfiltfilt

    sections = band_sections(low_hz, high_hz, sfreq)
    pad = min(samples - 1, round(sfreq / low_hz))
    return sosfiltfilt(sections, np.eye(samples), axis=1, padlen=pad).astype(np.float32)


@dataclass(frozen=True)
class EpochInput:
    """Filter and scale of epochs.

    Attributes:
        sfreq: sampling rate of the epochs, in Hz.
        samples: number of samples of an epoch.
        band: (low, high) in Hz, or None.
        mean: mean of each electrode after the filter, in the unit of the store.
        scale: standard deviation of each electrode after the filter, in the same unit.
    """

    sfreq: float
    samples: int
    band: tuple[float, float] | None
    mean: list[float]
    scale: list[float]

    @cached_property
    def operator(self) -> np.ndarray | None:
        """The filter as a matrix (samples, samples), to be multiplied from the right; None without a band."""
        return None if self.band is None else band_operator(*self.band, self.sfreq, self.samples)

    def __call__(self, eeg: np.ndarray) -> np.ndarray:
        """Filter and scale epochs (batch, electrodes, samples) float32."""
        filtered = eeg if self.operator is None else eeg @ self.operator
        mean, scale = (np.asarray(values, np.float32)[:, None] for values in (self.mean, self.scale))
        return (filtered - mean) / scale

    def save(self, folder: Path) -> None:
        """Write ``input.json``."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=2))

    @classmethod
    def load(cls, folder: Path) -> "EpochInput":
        """Read what :meth:`save` wrote."""
        fields = json.loads((folder / FILE).read_text())
        return cls(**fields | {"band": fields["band"] and tuple(fields["band"])})


def fit_input(eeg: np.ndarray, sfreq: float, band: tuple[float, float] | None) -> EpochInput:
    """Take mean and standard deviation of each electrode from epochs (epochs, electrodes, samples) of the training set.

    Raises:
        InputError: the band does not fit the sampling rate.
    """
    electrodes, samples = eeg.shape[1:]
    unscaled = EpochInput(sfreq, samples, band, [0.0] * electrodes, [1.0] * electrodes)(eeg)
    scale = unscaled.std((0, 2))
    scale[scale == 0] = 1.0
    return EpochInput(sfreq, samples, band, unscaled.mean((0, 2)).tolist(), scale.tolist())
