"""Headers of EDF as devices write them are read, or the field that cannot be is named."""

from datetime import UTC, datetime

import mne
import numpy as np
import pytest

from eegdiffusion.core.recordings.edf_header import NO_DATE, read_header
from eegdiffusion.core.recordings.edf_samples import read_samples
from eegdiffusion.core.recordings.electrode_recording import open_recording
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montage import BIPOLAR, ELECTRODES
from tests.tuev_fixture import write_edf

FIELDS = {"label": (0, 16), "unit": (96, 8), "physical_min": (104, 8), "physical_max": (112, 8)}
FIELDS |= {"digital_min": (120, 8), "digital_max": (128, 8), "reserved": (224, 32)}


@pytest.fixture
def path(tmp_path):
    write_edf(tmp_path / "r.edf", names=ELECTRODES)
    return tmp_path / "r.edf"


def _fixed(path, at, width, text):
    content = bytearray(path.read_bytes())
    content[at : at + width] = text.ljust(width)
    path.write_bytes(content)


def _field(path, name, change, signals=range(19)):
    """Change a field of signals: old bytes without blanks -> new bytes."""
    content, (before, width) = bytearray(path.read_bytes()), FIELDS[name]
    for k in signals:
        at = 256 + 19 * before + width * k
        content[at : at + width] = change(bytes(content[at : at + width]).strip()).ljust(width)[:width]
    path.write_bytes(content)


def _read(path):
    return open_recording(path, {}).read(range(19), 0, 3500)


@pytest.mark.parametrize("count", [b"-1", b"10", b"", b"14\0\0\0\0\0\0"])
def test_records_that_follow_are_read_whatever_the_count(path, count):
    expected = _read(path)
    _fixed(path, 236, 8, count)
    assert np.array_equal(_read(path), expected)


def test_more_records_than_follow_are_missing(path):
    _fixed(path, 236, 8, b"15")
    with pytest.raises(InputError, match="file size: must be"):
        _read(path)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("label", lambda text: text.ljust(16, b"\0")),
        ("unit", lambda text: text + b"\0"),
        ("physical_min", lambda text: text.replace(b".", b",")),
        ("physical_max", lambda text: text.replace(b".", b",")),
        ("digital_min", lambda text: text + b",0"),
        ("reserved", lambda text: b"\x83\xca\xff\xe9"),
        ("unit", lambda text: b"\x83\xcaV"),
        ("unit", lambda text: b"\xb5V"),
    ],
)
def test_commas_nuls_and_other_alphabets(path, name, change):
    expected = _read(path)
    _field(path, name, change)
    assert np.array_equal(_read(path), expected)
    _fixed(path, 8, 80, "山田 Größe".encode("shift-jis", "replace"))
    assert np.array_equal(_read(path), expected)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("physical_max", lambda text: b"0", "A2-REF: physical 0 to 0"),
        ("physical_max", lambda text: b"none", "A2-REF: physical 0 to nan"),
        ("digital_max", lambda text: b"", "A2-REF: digital -32768 to nan"),
        ("digital_max", lambda text: b"-32768", "A2-REF: digital -32768 to -32768"),
        ("digital_min", lambda text: b"40000", "A2-REF: digital 40000 to 32767"),
        ("digital_min", lambda text: b"-99999", "A2-REF: digital -99999 to 32767"),
    ],
)
def test_an_electrode_whose_samples_have_no_scale_is_left_out_by_name(path, name, change, message):
    k = ELECTRODES.index("A2")
    if name == "physical_max":
        _field(path, "physical_min", lambda text: b"0", [k])
    _field(path, name, change, [k])
    recording = open_recording(path, {})
    assert len(recording.labels) == 18
    assert [channel.electrode for channel in recording.left_out] == ["A2"]
    (why,) = recording.derive(BIPOLAR).lacking.items()
    assert why[0] == "A2-T4"
    assert message in why[1]


@pytest.mark.parametrize(
    ("recording", "date", "time", "start"),
    [
        (b"", b"02.03.12", b"04.05.06", datetime(2012, 3, 2, 4, 5, 6, tzinfo=UTC)),
        (b"", b"02.03.85", b"04:05:06", datetime(1985, 3, 2, 4, 5, 6, tzinfo=UTC)),
        (b"Startdate 02-MAR-2112 X X X", b"02.03.yy", b"04.05.06", datetime(2112, 3, 2, 4, 5, 6, tzinfo=UTC)),
        (b"Startdate X X X X", b"00.00.00", b"00.00.00", None),
        (b"Startdate X X X X", b"01.01.85", b"04.05.06", NO_DATE.replace(hour=4, minute=5, second=6)),
        (b"Startdate X X X X", b"01.01.85", b"00.00.00", None),
        (b"Startdate X X X X", b"02.03.12", b"04.05.06", datetime(2012, 3, 2, 4, 5, 6, tzinfo=UTC)),
        (b"", b"01.01.85", b"04.05.06", datetime(1985, 1, 1, 4, 5, 6, tzinfo=UTC)),
        (b"Startdate 02-MAI-2012 X X X", b"02.05.12", b"04.05.06", datetime(2012, 5, 2, 4, 5, 6, tzinfo=UTC)),
        (b"Startdate 31-FEB-2012 X X X", b"01.03.12", b"04,05,06", datetime(2012, 3, 1, 4, 5, 6, tzinfo=UTC)),
        (b"", b"02.03.12", b"25:61:61", None),
        (b"", b"", b"", None),
        (b"", b"31.02.12", b"04.05.06", None),
    ],
)
def test_clocks_that_there_are_not(path, recording, date, time, start):
    for at, width, text in ((88, 80, recording), (168, 8, date), (176, 8, time)):
        _fixed(path, at, width, text)
    assert open_recording(path, {}).start == start


@pytest.mark.parametrize("sizes", [(0, 3500), (1, 2), (249, 251), (3499, 3500), (777, 2222)])
def test_samples_are_those_that_mne_reads(path, sizes):
    expected = mne.io.read_raw_edf(path, verbose="error").get_data(start=sizes[0], stop=sizes[1])
    assert np.array_equal(read_samples(read_header(path), *sizes, list(range(19))), expected)


def test_samples_of_three_bytes(path, tmp_path):
    import edfio

    data = np.random.default_rng(0).normal(0, 20, (2, 1000))
    recorded = [edfio.BdfSignal(row, 250, label=f"C{k}", physical_dimension="uV") for k, row in enumerate(data)]
    edfio.Bdf(recorded).write(tmp_path / "r.bdf")
    read = read_samples(read_header(tmp_path / "r.bdf"), 10, 990, [1, 0])
    raw = mne.io.read_raw_bdf(tmp_path / "r.bdf", stim_channel=None, verbose="error")
    assert np.array_equal(read, raw.get_data(start=10, stop=990)[::-1])
