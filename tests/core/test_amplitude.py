"""Signals of another unit, as a whole or an electrode of them."""

import numpy as np
import pytest

from eegdiffusion.core.recordings import amplitude
from eegdiffusion.core.runtime.errors import InputError

NAMES = ["Fp1", "Fz", "Cz", "Pz", "O1"]


def _eeg(scale: float = 1.0) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal((3, len(NAMES), 1000))
    return scale * 20 * (noise + np.roll(noise, 1, -1))


def test_eeg_in_microvolts_passes():
    amplitude.require_eeg_amplitude(_eeg(), NAMES, "a: unit")
    drift = _eeg() + np.linspace(0, 5e4, 1000) * (np.arange(5) == 2)[:, None]  # one electrode drifts by 50 mV
    amplitude.require_eeg_amplitude(drift, NAMES, "a: unit")
    flat = _eeg() * (np.arange(5) != 1)[:, None]
    amplitude.require_eeg_amplitude(flat, NAMES, "a: unit")


@pytest.mark.parametrize(
    ("scale", "mistake"),
    [(1e6, "uV read as V"), (1e3, "uV read as mV"), (1e-3, "mV read as uV"), (1e-6, "V read as uV")],
)
def test_a_wrong_unit_is_refused_with_the_likely_mistake(scale, mistake):
    with pytest.raises(InputError, match=f"a: unit: .*must lie in 0.5 to 2000 uV .*{mistake}"):
        amplitude.require_eeg_amplitude(_eeg(scale), NAMES, "a: unit")


@pytest.mark.parametrize("scale", [1000, 1e-3, 1e6, 200, 1 / 200])
def test_an_electrode_of_another_scale_is_named(scale):
    signals = _eeg() * np.where(np.arange(5) == 3, scale, 1)[:, None]
    with pytest.raises(InputError, match=r"of the others' scale, within 100 times .*found Pz "):
        amplitude.require_eeg_amplitude(signals, NAMES, "a: unit")
    assert list(amplitude.other_scale(signals, NAMES)) == ["Pz"]


def test_segments_lie_at_both_ends_and_in_the_middle():
    recording = np.arange(100_000.0)[None]
    segments = amplitude.read_segments(lambda start, stop: recording[:, start:stop], 100_000, 1000.0)
    assert segments.shape == (3, 1, 10_000)
    assert segments[:, 0, 0].tolist() == [0, 45_000, 90_000]
    short = amplitude.read_segments(lambda start, stop: recording[:, start:stop], 500, 1000.0)
    assert short.shape == (1, 1, 500)
