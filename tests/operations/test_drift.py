"""Drift of recordings: the index by hand, what chance does, and what has really changed in real EEG."""

import numpy as np
import pytest
from scipy import signal
from scipy.stats import binom

from eegdiffusion.core.signal.montage import ELECTRODES
from eegdiffusion.operations.orchestration import permutation_drift
from eegdiffusion.operations.orchestration.permutation_drift import Profile, compare, population_stability, profile
from eegdiffusion.surrogate.tuev.tuev_recordings import ELECTRODES as SOURCE
from tests.surrogate_source import source_recordings

RATE, SECONDS, LIMIT = 250.0, 12, 0.25


def _drifted(corpus, drop, limit=LIMIT):
    table = compare(corpus, drop, limit)
    return set(table.loc[table["drifted"], "feature"])


def test_the_index_is_the_sum_over_bins(monkeypatch):
    monkeypatch.setattr(permutation_drift, "BINS", 2)
    p, q = (np.array(shares) for shares in ((0.75, 0.25), (0.25, 0.75)))
    a, b = (
        (0.75 + permutation_drift.FLOOR) / (1 + 2 * permutation_drift.FLOOR),
        (0.25 + permutation_drift.FLOOR) / (1 + 2 * permutation_drift.FLOOR),
    )
    assert population_stability(p, q) == pytest.approx(2 * (a - b) * np.log(a / b))
    assert population_stability(p, p) == pytest.approx(0)


def test_a_profile_is_power_and_deviation_in_microvolts():
    sine = 20 * np.sin(2 * np.pi * 10 * np.arange(2500) / RATE)
    found = profile(50 + sine[None, None], RATE, "a", ["CZ"], ["CZ", "EKG"])
    assert isinstance(found, Profile)
    assert found.channels == {"CZ", "EKG"}
    alpha = list(permutation_drift.BANDS).index("alpha")
    assert found.bands[0].argmax() == alpha
    assert found.bands[0, alpha] == pytest.approx(np.log10(20.0**2 / 2), abs=0.05)
    assert found.amplitude.max() == pytest.approx(np.log10(20), abs=0.05), "a constant does not count"
    louder = profile(np.stack([sine, sine, 10 * sine])[None], RATE, "a", ["C3", "C4", "CZ"], [])
    assert louder.electrode_power == pytest.approx([0, 0, 2])


def _subject(rng, name):
    """Recordings of a made-up subject, which are alike: gain, spectrum, electrodes and channels of its own."""
    level = rng.normal(1, 0.3) + rng.normal(0, 0.2, 5) + rng.normal(0, 0.1, (6, 5))
    channels = [
        channel for channel, share in {"FZ": 1, "EKG": 0.6, "T1": 0.1, "EMG": 0.05}.items() if rng.random() < share
    ]
    return [
        Profile(
            name,
            tuple("abcdef"),
            level + rng.normal(0, 0.1, (6, 5)),
            rng.normal(level.mean() / 2, 0.3, 60),
            frozenset(channels),
        )
        for _ in range(rng.integers(1, 4))
    ]


@pytest.mark.parametrize("new", [1, 4, 12])
def test_without_drift_one_table_in_twenty_names_something(new):
    rng, rounds, found = np.random.default_rng(new), 80, 0
    for _ in range(rounds):
        subjects = [_subject(rng, str(k)) for k in range(30 + new)]
        parts = subjects[:30], subjects[30:]
        found += bool(_drifted(*([p for some in part for p in some] for part in parts), limit=0.0))
    assert found <= binom.ppf(0.99, rounds, permutation_drift.LEVEL), found


@pytest.fixture(scope="module")
def stretches():
    """Real EEG at rest, eyes closed, in stretches that do not overlap: (stretches, 19, samples) in uV."""
    source = source_recordings()
    rows = [source.electrodes.index(SOURCE[name]) for name in ELECTRODES]
    rest = signal.resample_poly(1e6 * source.resting["EC"][rows], 1, round(source.sfreq / RATE), axis=1)
    length = round(SECONDS * RATE)
    count = rest.shape[1] // length
    rest = rest[:, : count * length].reshape(len(rows), count, length).transpose(1, 0, 2)
    # One person, one day: subjects differ by a gain and by each electrode's contact.
    rng = np.random.default_rng(0)
    return rest * rng.lognormal(0, 0.15, (count, 1, 1)) * rng.lognormal(0, 0.05, (count, 19, 1))


def _profiles(stretches, begin=0, channels=(*ELECTRODES, "FZ")):
    return [profile(s[None], RATE, str(begin + k), ELECTRODES, channels) for k, s in enumerate(stretches)]


def test_real_eeg_of_one_kind_does_not_drift(stretches):
    profiles, rng = np.array(_profiles(stretches), object), np.random.default_rng(0)
    assert len(profiles) >= 20
    false = 0
    for _ in range(60):
        order = rng.permutation(len(profiles))
        false += bool(_drifted(list(profiles[order[6:]]), list(profiles[order[:6]])))
    assert false <= binom.ppf(0.99, 60, permutation_drift.LEVEL), false


CZ = ELECTRODES.index("CZ")


def _dead(s):
    s = s.copy()
    s[:, CZ] = np.random.default_rng(0).normal(0, 1, s[:, CZ].shape)
    return s


def _without_rhythm(s):
    return signal.sosfiltfilt(signal.butter(4, (8, 13), "bandstop", fs=RATE, output="sos"), s, axis=-1)


CHANGES = {
    "gain": (lambda s: 1.5 * s, "theta power"),
    "no 10 Hz rhythm": (_without_rhythm, "alpha power"),
    "hum": (lambda s: s + 20 * np.sin(2 * np.pi * 50 * np.arange(s.shape[-1]) / RATE), "gamma power"),
    "dead electrode": (_dead, "electrode CZ"),
    "reference": (lambda s: s - s[:, [CZ]] + np.random.default_rng(0).normal(0, 0.5, s.shape), "electrode CZ"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_in_real_eeg_is_named(stretches, change):
    make, feature = CHANGES[change]
    corpus, drop = _profiles(stretches[6:]), _profiles(make(stretches[:6]), 100)
    assert feature in _drifted(corpus, drop)
    assert _drifted(corpus, drop, limit=1e6) == set(), "within the limit"


def test_a_channel_that_is_gone_is_named(stretches):
    corpus, drop = _profiles(stretches[6:]), _profiles(stretches[:6], 100, ELECTRODES)
    assert _drifted(corpus, drop) == {"channel FZ"}


def test_recordings_of_one_subject_count_once(stretches):
    louder = [profile(3 * s[None], RATE, "new", ELECTRODES, ELECTRODES) for s in stretches[:6]]
    corpus = [profile(s[None], RATE, str(k % 10), ELECTRODES, ELECTRODES) for k, s in enumerate(stretches[6:])]
    table = compare(corpus, louder, LIMIT)
    assert table["score"].max() > 1
    assert table["p"].min() >= 1 / 11
    assert not table["drifted"].any()


def test_electrodes_that_all_recordings_have_are_compared(stretches):
    without = [name for name in ELECTRODES if name not in ("CZ", "T3")]
    rows = [ELECTRODES.index(name) for name in reversed(without)]
    fewer = [profile(s[None][:, rows], RATE, str(100 + k), without[::-1], without) for k, s in enumerate(stretches[:6])]
    table = compare(_profiles(stretches[6:]), fewer, LIMIT)
    named = [name for name in table["feature"] if name.startswith("electrode ")]
    assert named == [f"electrode {name}" for name in without], "in the order of the known recordings"
    assert not table.loc[table["feature"].isin(named), "drifted"].any()
    assert set(table.loc[table["drifted"], "feature"]) >= {"channel CZ", "channel T3"}
    other = [profile(s[None][:, :1], RATE, str(k), ["E1"], ["E1"]) for k, s in enumerate(stretches[:3])]
    assert not compare(_profiles(stretches[6:]), other, LIMIT)["feature"].str.startswith("electrode ").any()


@pytest.mark.parametrize(("rate", "seconds"), [(1000.0, 0.45), (100.0, 1.0), (250.0, 0.2), (128.0, 12.0)])
def test_short_and_slow_epochs_are_compared_in_the_bands_that_they_show(stretches, rate, seconds):
    def profiles(part, begin, gain=1.0):
        cut = signal.resample_poly(part, round(rate), round(RATE), axis=-1)[..., : round(seconds * rate)]
        return [profile(gain * s[None], rate, str(begin + k), ELECTRODES, ELECTRODES) for k, s in enumerate(cut)]

    known, new = profiles(stretches[6:], 0), profiles(stretches[:6], 100, gain=4.0)
    assert all(np.isfinite(each.bands).all() for each in known + new)
    table = compare(known, new, LIMIT)
    assert np.isfinite(table[["corpus", "drop", "score", "p"]]).all(axis=None)
    assert "amplitude" in set(table.loc[table["drifted"], "feature"]), "four times the amplitude"
    assert table.loc[table["drifted"], "feature"].str.endswith(" power").any()
