"""Drift of recordings: the index by hand, what chance does, and what has really changed."""

import numpy as np
import pytest

from components.evaluation.drift import Profile, compare, population_stability, profile

RATE = 250.0


def _recording(rng, gain=1.0, hum=0.0, channels=("FP1", "FP2")):
    """A profile of noise whose size differs a little from recording to recording."""
    noise = gain * 10 * rng.lognormal(0, 0.2) * rng.standard_normal((3, 2, 2500))
    return profile(noise + hum * np.sin(2 * np.pi * 10 * np.arange(2500) / RATE), RATE, channels)


@pytest.fixture(scope="module")
def corpus():
    rng = np.random.default_rng(0)
    return [_recording(rng) for _ in range(30)]


def _drifted(corpus, drop, limit=0.25):
    table = compare(corpus, drop, limit)
    return set(table.loc[table["drifted"], "feature"])


def test_the_index_is_the_sum_over_bins():
    # Half a count is added to each bin: p = (3.5, 1.5) / 5, q = (1.5, 3.5) / 5.
    expected = (0.3 - 0.7) * np.log(0.3 / 0.7) + (0.7 - 0.3) * np.log(0.7 / 0.3)
    assert population_stability(np.array([3, 1]), np.array([1, 3])) == pytest.approx(expected)
    assert population_stability(np.array([7, 7]), np.array([2, 2])) == pytest.approx(0)


def test_a_profile_is_power_and_deviation_in_microvolts():
    found = profile(50 + _sine(20.0), RATE, ["CZ"])
    assert isinstance(found, Profile) and found.channels == {"CZ"}
    alpha = list(compare([found], [found], 0.25)["feature"]).index("alpha power")
    assert found.bands[0].argmax() == alpha
    assert found.bands[0, alpha] == pytest.approx(np.log10(20.0**2 / 2), abs=0.05)
    assert found.amplitude.max() == pytest.approx(np.log10(20), abs=0.05), "a constant does not count"


def _sine(amplitude):
    return amplitude * np.sin(2 * np.pi * 10 * np.arange(2500) / RATE)[None, None]


def test_more_of_the_same_is_no_drift_though_few_recordings_differ_by_chance(corpus):
    rng = np.random.default_rng(1)
    assert _drifted(corpus, [_recording(rng) for _ in range(20)]) == set()
    one = compare(corpus, corpus[:1], 0.1)
    assert one["by_chance"].max() > 0.1, "one recording exceeds the limit by chance alone"


def test_what_has_changed_is_named(corpus):
    rng = np.random.default_rng(2)
    louder = _drifted(corpus, [_recording(rng, gain=10) for _ in range(5)])
    assert {"amplitude", "alpha power", "delta power"} <= louder
    humming = _drifted(corpus, [_recording(rng, hum=20) for _ in range(5)])
    assert "alpha power" in humming and "delta power" not in humming
    fewer = _drifted(corpus, [_recording(rng, channels=["FP1"]) for _ in range(5)])
    assert "channel FP2" in fewer and "channel FP1" not in fewer
    assert _drifted(corpus, [_recording(rng, gain=10)], limit=1e3) == set(), "within the limit"
