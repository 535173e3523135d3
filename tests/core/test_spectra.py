import numpy as np
import pytest

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.spectra import BANDS, band_differences, band_power, welch

RATE = 200.0
TIME = np.arange(1000) / RATE


def test_a_sine_has_its_power_in_its_band():
    sine = 20 * np.sin(2 * np.pi * 10 * TIME)
    frequencies, density = welch(np.tile(sine, (1, 3, 1)), RATE)
    assert frequencies[density[0].argmax()] == 10
    power = dict(zip(BANDS, band_power(frequencies, density)[0], strict=True))
    assert power["alpha"] == pytest.approx(20**2 / 2, rel=0.01)
    assert max(power[band] for band in BANDS if band != "alpha") < 0.01 * power["alpha"]


def test_white_noise_is_flat_and_has_its_variance():
    noise = 5 * np.random.default_rng(0).standard_normal((2, 200, 1000))
    frequencies, density = welch(noise, RATE)
    assert density[:, 2:-2].mean() == pytest.approx(25 / 100, rel=0.02)
    power = band_power(frequencies, density)
    widths = [high - low for low, high in BANDS.values()]
    assert power == pytest.approx(np.tile(0.25 * np.array(widths), (2, 1)), rel=0.1)


def test_ten_times_the_power_is_a_difference_of_one():
    real = np.random.default_rng(0).standard_normal((2, 4, 1000))
    frequencies, density = welch(real, RATE)
    _, louder = welch(np.sqrt(10) * real, RATE)
    table = band_differences(frequencies, density, louder, ["a", "b"])
    assert table["difference"].to_numpy() == pytest.approx(np.ones(10))
    assert table["band"].tolist() == [band for band in BANDS for _ in range(2)]
    assert table["channel"].tolist() == ["a", "b"] * 5
    assert (table["high_hz"].max(), table["low_hz"].min()) == (75, 0.5)
    assert table.loc[0, "real"] == pytest.approx(np.log10(band_power(frequencies, density)[0, 0]))


def test_a_sine_of_twice_the_amplitude_has_four_times_the_power():
    sine = 20 * np.sin(2 * np.pi * 10 * TIME)[None, None]
    frequencies, density = welch(sine, RATE)
    _, louder = welch(2 * sine, RATE)
    table = band_differences(frequencies, density, louder, ["a"]).set_index("band")
    assert table.loc["alpha", "difference"] == pytest.approx(0.60206, abs=1e-5)


@pytest.mark.parametrize(
    ("signals", "rate", "message"),
    [
        (np.zeros((1, 1, 300)), RATE, r"signals: must last 2.0 s or more \(found 1.5 s\)"),
        (np.zeros((1, 1, 1000)), 100.0, r"rate_hz: must be 150.0 or more \(found 100.0\)"),
        (np.full((1, 1, 1000), np.nan), RATE, r"signals: must be finite \(found 1000"),
    ],
)
def test_bad_input_is_refused(signals, rate, message):
    with pytest.raises(InputError, match=message):
        welch(signals, rate)
