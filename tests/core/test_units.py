"""Units of voltage are read in all spellings that recorders have, and nothing else is taken for one."""

from pathlib import Path

import pytest

from eegdiffusion.core.recordings.units import microvolts_per_unit, require_microvolts
from eegdiffusion.core.runtime.errors import InputError

MICROVOLTS = ["uV", "uv", "UV", "\u00b5V", "\u03bcV", "microvolt", "Microvolts", "micro volts", "uVolt", "\u00b5Volts"]
MICROVOLTS += ["10^-6 V", "10-6V", "1e-6 V", "1E-6V", "10**-6 V", "[uV]", "uV\0\0\0", " uV ", "?V", "\ufffdV"]
# A micro sign and a mu as bytes of an encoding, read as Latin-1.
GARBLED = [("\u00b5V", code) for code in ("utf-8", "cp437", "cp850", "cp1252", "mac-roman")]
GARBLED += [("\u03bcV", code) for code in ("utf-8", "shift-jis", "euc-jp", "gbk", "iso8859-7")]
OTHERS = {"mV": 1e3, "mv": 1e3, "millivolts": 1e3, "V": 1e6, "volt": 1e6, "nV": 1e-3, "NV": 1e-3, "MV": 1e12, "kV": 1e9}
NO_VOLTAGE = [
    "",
    " ",
    "%",
    "degC",
    "bpm",
    "uS",
    "kOhm",
    "m",
    "u",
    "Mv",
    "cV",
    "10E-6 V",
    "10^-5 V",
    "uV/cm",
    "uV^2",
    "n/a",
]


@pytest.mark.parametrize("unit", MICROVOLTS)
def test_spellings_of_microvolts(unit):
    assert microvolts_per_unit(unit) == 1


@pytest.mark.parametrize(("unit", "encoding"), GARBLED)
def test_a_micro_sign_is_known_in_the_bytes_of_any_encoding(unit, encoding):
    assert microvolts_per_unit(unit.encode(encoding).decode("latin-1")) == 1


@pytest.mark.parametrize("unit", OTHERS)
def test_the_case_of_a_prefix_counts(unit):
    assert microvolts_per_unit(unit) == pytest.approx(OTHERS[unit])


@pytest.mark.parametrize("unit", NO_VOLTAGE)
def test_what_is_no_voltage_is_refused_by_file_channel_and_unit(unit):
    assert microvolts_per_unit(unit) is None
    with pytest.raises(InputError) as refused:
        require_microvolts(Path("a/r.edf"), "Cz", unit)
    assert str(refused.value).startswith("a/r.edf: Cz: unit: must be one of voltage")
    assert repr(unit) in str(refused.value)
