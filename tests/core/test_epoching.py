import dataclasses

import mne
import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt
from sklearn.discriminant_analysis import _cov

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.signal.epoching import Epoching, epoch_operator
from eegdiffusion.core.signal.whitening import inverse_root, noise_covariance, shrunk_covariance_sum
from eegdiffusion.images.corpora.image_corpus import Continuous

NICE = Epoching(
    channels=None, tmin_s=-0.2, tmax_s=1.0, baseline=True, rate_hz=250.0, keep_from_s=0.0,
    whitening="training", covariance="epochs",
)  # fmt: skip


@pytest.mark.parametrize(
    ("sfreq", "tmax", "rate", "keep", "samples"),
    [(1000.0, 1.0, 250.0, 0.0, 250), (1000.0, 0.8, 100.0, None, 100), (250.0, 1.0, 250.0, 0.0, 250),
     (1000.0, 1.0, 1000.0, None, 1200), (512.0, 0.8, 100.0, None, 100)],
)  # fmt: skip
def test_one_product_gives_what_mne_gives(sfreq, tmax, rate, keep, samples):
    signals = 1e-5 * np.random.default_rng(0).standard_normal((4, 8000)).cumsum(1)
    raw = mne.io.RawArray(signals, mne.create_info(4, sfreq, "eeg"), verbose="ERROR")
    onsets = np.array([700, 1500, 4000])
    events = np.c_[onsets, 0 * onsets, 1 + 0 * onsets]
    epochs = mne.Epochs(raw, events, tmin=-0.2, tmax=tmax, baseline=(None, 0), preload=True, verbose="ERROR")
    if rate != sfreq:
        epochs.resample(rate, verbose="ERROR")
    epoching = dataclasses.replace(NICE, tmax_s=tmax, rate_hz=rate, keep_from_s=keep)
    operator = epoch_operator(epoching, sfreq)
    times, starts = operator.times, onsets + operator.first
    assert operator.matrix.shape == (operator.length, samples)
    assert samples == len(times)
    found = np.stack([signals[:, start : start + operator.length] for start in starts]) @ operator.matrix
    place = np.argmin(np.abs(epochs.times - times[0]))
    expected = epochs.get_data(verbose="ERROR")[:, :, place : place + samples]
    assert np.abs(found - expected).max() < 1e-10 * np.abs(expected).max()
    assert np.allclose(epochs.times[place : place + samples], times, atol=1e-9)


@pytest.mark.parametrize(("n", "p"), [(40, 6), (3, 6), (2, 30)])
def test_shrunk_covariances_are_scikit_learns(n, p):
    rng = np.random.default_rng(1)
    samples = rng.standard_normal((5, n, p)) @ rng.standard_normal((p, p))
    samples[0, :, 2] = 3.0  # a flat channel
    expected = sum(_cov(one, shrinkage="auto") for one in samples)
    assert np.allclose(shrunk_covariance_sum(samples), expected, rtol=1e-9, atol=1e-12)


def test_images_with_other_numbers_of_repetitions_count_alike():
    rng = np.random.default_rng(2)
    epochs = rng.standard_normal((7, 3, 20))
    image = np.array([4, 9, 4, 9, 4, 1, 9])
    expected = np.mean(
        [np.mean([_cov(e.T, shrinkage="auto") for e in epochs[image == k]], axis=0) for k in (1, 4, 9)], axis=0
    )
    assert np.allclose(noise_covariance(epochs, np.arange(7), image, "epochs"), expected)
    over_time = [
        np.mean([_cov(epochs[image == k][:, :, t], shrinkage="auto") for t in range(20)], axis=0) for k in (4, 9)
    ]
    assert np.allclose(noise_covariance(epochs, np.arange(7), image, "time"), np.mean(over_time, axis=0))
    with pytest.raises(ValueError, match="two or more repetitions"):
        noise_covariance(epochs, np.arange(3), np.arange(3), "time")


def test_whitened_noise_has_unit_covariance():
    rng = np.random.default_rng(3)
    mixing = np.diag([1.0, 20.0, 3.0, 0.2, 5.0]) @ (np.eye(5) + 0.2 * rng.standard_normal((5, 5)))
    epochs = mixing @ rng.standard_normal((60, 5, 3000))
    root = inverse_root(noise_covariance(epochs, np.arange(60), np.arange(60) // 2, "epochs"))
    assert np.abs(np.cov(np.concatenate(list(root @ epochs), axis=1)) - np.eye(5)).max() < 0.1
    with pytest.raises(ValueError, match="independent of each other"):
        inverse_root(np.ones((3, 3)))


@pytest.mark.parametrize("change", [{"tmax_s": -0.3}, {"tmin_s": 0.1}, {"whitening": "all"}, {"rate_hz": 0}])
def test_settings_are_checked(change):
    with pytest.raises(InputError):
        validate(dataclasses.asdict(NICE) | change, Epoching, "epochs.nice")


@pytest.mark.parametrize("band", [(1.0, 70.0), (5.0, 95.0), (14.0, 70.0), (55.0, 95.0)])
def test_a_stretch_of_a_filtered_recording_is_that_of_the_whole_one(band):
    sfreq, samples = 250.0, 10_000
    signals = np.random.default_rng(4).standard_normal((3, samples)).cumsum(1)
    onsets = np.array([10, 700, 760, 5000, 9600])
    trials = Continuous(lambda start, stop: signals[:, start:stop], onsets, samples).filtered(*band, sfreq)
    sections = butter(4, band, "bandpass", fs=sfreq, output="sos")
    whole = sosfiltfilt(sections, signals, axis=1, padlen=1000)
    for chosen in (np.arange(5), np.array([1, 2])):  # one read each, and one read for both
        found = trials.read(chosen, -10, 200)
        expected = expected_of(whole, onsets[chosen])
        inner = slice(1, 4) if len(chosen) == 5 else slice(None)
        assert np.abs(found - expected)[inner].max() < 1e-3 * whole.std()
    cut = np.stack([signals[:, onset - 10 : onset + 190] for onset in onsets[1:4]])
    alone = sosfiltfilt(sections, cut, axis=2, padlen=min(199, round(sfreq / band[0])))
    assert np.abs(alone - expected_of(whole, onsets[1:4])).max() > 0.1 * whole.std(), "edges of cut epochs do matter"
    assert trials.inside(-10, 200).tolist() == [True] * 5
    assert not trials.inside(-20, 200)[0]
    with pytest.raises(InputError, match="half the sampling rate"):
        trials.filtered(55, 95, 100.0)


def expected_of(whole: np.ndarray, onsets: np.ndarray) -> np.ndarray:
    return np.stack([whole[:, onset - 10 : onset + 190] for onset in onsets])
