"""Filtering holds few copies of a signal, and gives MNE's numbers to the bit; long signals go through in blocks."""

from fractions import Fraction

import mne
import numpy as np
import pytest
import scipy

from eegdiffusion.core.signal import filtering
from eegdiffusion.core.signal.filtering import (
    EEGDM,
    EEGDM_CHBMIT,
    Filtering,
    filtered,
    filtered_in_blocks,
    resampled_length,
)


def _noise(samples, channels=2):
    draw = np.random.default_rng(0).standard_normal((channels, samples))
    return (draw + 0.05 * draw.cumsum(axis=1)) * 20e-6


def _by_mne(signals, rate, settings):
    raw = mne.io.RawArray(signals.copy(), mne.create_info(len(signals), rate, "eeg"), verbose="error")
    with mne.utils.use_log_level("error"):
        raw.filter(settings.low_hz, settings.high_hz, picks="all")
        raw.notch_filter(settings.notch_hz, picks="all")
        raw.resample(settings.rate_hz, method=settings.resample_method)
    return raw.get_data()


@pytest.mark.parametrize("rate", [160.0, 200.0, 249.9, 250.0, 256.0, 1000.0])
@pytest.mark.parametrize("method", ["fft", "polyphase"])
def test_the_numbers_are_those_of_mne(rate, method):
    signals, settings = _noise(round(14 * rate) + 3), Filtering(resample_method=method)
    assert np.array_equal(filtered(signals.copy(), rate, settings), _by_mne(signals, rate, settings))


def test_a_window_of_chbmit_is_resampled_before_it_is_filtered():
    window = _noise(2560, 16)
    expected = scipy.signal.resample(window, 2000, axis=1)
    expected = mne.filter.filter_data(expected, 200.0, 0.5, 75.0, verbose="error")
    expected = mne.filter.notch_filter(expected, 200.0, 60.0, verbose="error")
    assert np.allclose(filtered(window.copy(), 256.0, EEGDM_CHBMIT), expected, rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match="rate_hz: must exceed 150"):
        Filtering(resample_method="fft_first", rate_hz=128.0)


@pytest.mark.parametrize(("rate", "samples"), [(256.0, 1280), (200.0, 400)])
def test_short_signals_that_are_filtered_together_are_each_what_it_is_alone(rate, samples, monkeypatch):
    signals = _noise(samples, 7)
    monkeypatch.setattr(filtering, "TOGETHER", 3 * samples)  # two full runs and a rest
    together = filtered(signals.copy(), rate, EEGDM)
    assert all(np.array_equal(row, filtered(signal[None].copy(), rate, EEGDM)[0])
               for row, signal in zip(together, signals, strict=True))  # fmt: skip
    monkeypatch.setattr(filtering, "TOGETHER", 1)
    assert np.array_equal(together, filtered(signals.copy(), rate, EEGDM))


@pytest.mark.parametrize("rate", [250.0, 256.0, 1000.0])
def test_blocks_of_a_long_signal_are_what_the_whole_is(rate):
    (signal,) = _noise(round(900 * rate) + 11, 1)

    def read(start, stop):
        return signal[start:stop].copy()

    blocks = list(filtered_in_blocks(read, len(signal), rate, EEGDM, longest=round(200 * rate)))
    assert len(blocks) == 5
    assert [first for first, _ in blocks] == [0, *np.cumsum([len(block) for _, block in blocks])[:-1]]
    joined = np.concatenate([block for _, block in blocks])
    assert len(joined) == resampled_length(len(signal), rate, EEGDM)
    # The whole, padded by as many samples as stay whole numbers at the new rate, so that none is moved.
    whole = filtering._filtered_channel(
        signal.copy(), rate, EEGDM, Fraction(200 / rate).limit_denominator().denominator
    )
    assert np.abs(joined - whole).max() < 0.005 * whole.std()
    ((first, alone),) = filtered_in_blocks(read, len(signal), rate, EEGDM)
    assert first == 0
    assert np.array_equal(alone, filtered(signal[None].copy(), rate, EEGDM)[0])
