from pathlib import Path

import numpy as np
import pytest

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.filtering import EEGDM
from eegdiffusion.events.corpora import tuev
from eegdiffusion.events.corpora.preprocess_recording import preprocess
from tests.recording_files import write_stamped
from tests.tuev_fixture import EVENTS, REFERENTIAL, signals, write_edf, write_rec

GOLDEN = Path(__file__).parents[1] / "golden"
STEMS = {"aaaaaaar_00000001": "train/aaaaaaar", "bckg_001_a_": "eval/001"}


@pytest.fixture(scope="module")
def golden():
    return np.load(GOLDEN / "tuev_mini_expected.npz")


@pytest.mark.parametrize("stem", STEMS)
def test_event_windows_are_those_of_the_public_implementation(golden, stem):
    signal, labels, channels = tuev.event_windows(GOLDEN / "tuev_mini/edf" / STEMS[stem] / f"{stem}.edf")
    assert signal.dtype == np.float32
    assert signal.shape == (15, 22, 1000)
    assert labels.tolist() == golden[f"{stem}/event/label"].tolist()
    assert channels.tolist() == golden[f"{stem}/event/offending_channel"].tolist()
    expected = golden[f"{stem}/event/signal"]
    assert np.abs(signal[golden[f"{stem}/event/rows"]] - expected).max() < 1e-4


@pytest.mark.parametrize("stem", STEMS)
def test_pretraining_windows_are_those_of_the_public_implementation(golden, stem):
    signal, channels, labels = tuev.pretraining_windows(GOLDEN / "tuev_mini/edf" / STEMS[stem] / f"{stem}.edf")
    assert signal.shape == (220, 1000)
    assert labels.tolist() == golden[f"{stem}/pretrain/label"].tolist()
    assert channels.tolist() == golden[f"{stem}/pretrain/channel"].tolist()
    expected = golden[f"{stem}/pretrain/signal"]
    assert np.abs(signal[golden[f"{stem}/pretrain/rows"]] - expected).max() < 1e-4


def _recording(tmp_path, events=EVENTS, **options):
    path = tmp_path / "a.edf"
    write_edf(path, **options)
    write_rec(path.with_suffix(".rec"), events)
    return path


@pytest.mark.parametrize("rate", [250, 256, 400])
def test_windows_do_not_depend_on_channel_order_or_extra_channels(tmp_path, rate):
    data = signals(REFERENTIAL, 14, rate)
    plain, *_ = tuev.event_windows(_recording(tmp_path, rate=rate, data=data))
    order = np.random.default_rng(0).permutation(len(REFERENTIAL))
    extra = np.vstack([data[order], 500 * np.ones((1, data.shape[1]))])
    names = [REFERENTIAL[k] for k in order]
    shuffled, *_ = tuev.event_windows(_recording(tmp_path, rate=rate, names=names, data=extra, extra=("PHOTIC-REF",)))
    assert plain.shape == (4, 22, 1000)
    assert np.abs(plain - shuffled).max() < 2e-3  # 16 bits over another physical range


def test_windows_wrap_around_the_recording(tmp_path):
    path = _recording(tmp_path)
    continuous = tuev.derive(path)
    first, last = tuev.event_windows(path)[0][[0, 3]]
    assert np.allclose(first[:, :400], continuous[:, -400:], atol=1e-6)
    assert np.allclose(first[:, 400:], continuous[:, :600], atol=1e-6)
    assert np.allclose(last[:, -400:], continuous[:, :400], atol=1e-6)


def test_of_two_rows_for_one_channel_and_window_the_last_counts(tmp_path):
    rows = [(3, 4.0, 5.0, 1), (2, 8.0, 9.0, 4), (3, 4.0, 5.0, 2)]
    _, channels, labels = tuev.pretraining_windows(_recording(tmp_path, events=rows))
    assert len(labels) == 44
    assert channels.tolist() == 2 * list(range(22))
    assert labels.nonzero()[0].tolist() == [3, 22 + 2]
    assert labels[[3, 24]].tolist() == [2, 4]


@pytest.mark.parametrize(
    ("seconds", "index"), [(1.1, 220), (4.1, 820), (0.0, 0), (14.0, 2800), (99.0, 2800), (4.101, 821)]
)
def test_sample_at_is_searchsorted(seconds, index):
    times = np.arange(2800) / 200
    assert tuev.sample_at(seconds, 2800, 200.0) == np.searchsorted(times, seconds) == index


def test_sample_at_on_every_tenth_of_a_second():
    times = np.arange(240_000) / 200
    tenths = [k / 10 for k in range(12_000)]
    assert [tuev.sample_at(t, 240_000, 200.0) for t in tenths] == np.searchsorted(times, tenths).tolist()


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("1,2.0,3.0", "channel,start,stop,label"),
        ("22,2.0,3.0,1", "channel"),
        ("1.5,2.0,3.0,1", "channel"),
        ("1,2.0,3.0,7", "label"),
        ("1,3.0,2.0,1", "start, stop"),
        ("1,-1.0,0.0,1", "start, stop"),
        ("1,two,3.0,1", "start"),
    ],
)
def test_a_malformed_row_is_named(tmp_path, row, field):
    path = tmp_path / "a.rec"
    path.write_text(f"1,2.0,3.0,1\n{row}\n")
    with pytest.raises(InputError) as error:
        tuev.read_rec(path)
    assert f"{path}, line 2: " in str(error.value)
    assert field in str(error.value)


def test_a_single_row_and_a_missing_file(tmp_path):
    path = tmp_path / "a.rec"
    path.write_text("13,90.4,91.4,6\r\n\r\n")  # a blank line is no event
    assert tuev.read_rec(path) == [tuev.Event(13, 90.4, 91.4, 5)]
    with pytest.raises(InputError, match="no such file"):
        tuev.read_rec(tmp_path / "b.rec")


CLEAN = [(13, 4.1, 5.1, 6), (0, 7.3, 8.3, 1)]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf13,4.1,5.1,6\n0,7.3,8.3,1\n",
        b"13,4.1,5.1,6\r\n0,7.3,8.3,1\r\n",
        b"13,4.1,5.1,6\r0,7.3,8.3,1",
        b"\xef\xbb\xbf13,4.1,5.1,6\r\n\r\n0, 7.3 ,8.3,1\r\n",
        "13,4.1,5.1,6\n0,7.3,8.3,1\n".encode("utf-16"),
        b"13;4,1;5,1;6\r\n0;7,3;8,3;1\r\n",
        b"13\t4,1\t5,1\t6\r\n0\t7.3\t8.3\t1\r\n",
        b"13,4100,5100,6\n0,7300,8300,1\n",
        b"13,4100.0,5100.0,6.0\n0,7300,8301,1\n",
    ],
    ids=[
        "mark",
        "crlf",
        "cr",
        "mark and crlf",
        "utf-16",
        "semicolons",
        "tabs",
        "milliseconds",
        "milliseconds, rounded",
    ],
)
def test_a_rec_file_is_read_however_it_was_saved(tmp_path, content):
    path = tmp_path / "a.rec"
    path.write_bytes(content)
    events = tuev.read_rec(path)
    assert [(e.channel, e.start_s, round(e.stop_s, 2), e.label + 1) for e in events] == CLEAN


def test_the_unit_of_a_rec_file_is_that_of_most_of_its_rows(tmp_path):
    path = tmp_path / "a.rec"
    write_rec(path, [*CLEAN, (1, 2000, 3000, 1)])
    assert tuev.read_rec(path)[2] == tuev.Event(1, 2000.0, 3000.0, 0)
    write_rec(path, [(1, 4.0, 5.0, 1), (2, 2000, 3000, 1), (3, 4000, 5000, 1), (0, 250, 500, 2)])
    file = tuev.read_rec_rows(path)  # one in two is not most
    assert not file.milliseconds
    write_rec(path, [(1, 4.0, 5.0, 1), (2, 2000, 3000, 1), (3, 4000, 5000, 1)])
    assert tuev.read_rec_rows(path).milliseconds


def test_a_malformed_row_costs_no_other(tmp_path):
    path = tmp_path / "a.rec"
    path.write_text("channel,start,stop,label\n13,4.1,5.1,6\n\n1,x,3.0,1\n0,7.3,8.3,1\n")
    file = tuev.read_rec_rows(path)
    assert [(row.row, row.line) for row in file.rows] == [(1, 2), (3, 5)]
    assert list(file.unreadable) == [1, 4]
    assert "start: must be a number (found 'x')" in file.unreadable[4]


@pytest.mark.parametrize(
    ("start_s", "stop_s", "window"),
    [
        (4.1, 5.1, 820 - 400),
        (4.101, 5.101, 821 - 400),  # a second of samples: as the public implementation has it
        (4.1000001, 5.1, 820 - 400),
        (4.1234, 5.1233, 825 - 400),
        (4.121, 5.120, 824 - 400),
        (4.120, 5.121, 824 - 400),
        (4.099, 5.101, 820 - 400),
        (13.001, 14.001, 2600 - 400),  # ends a sample after the recording
        (4.1, 5.085, None),
        (4.1, 5.116, None),
        (13.02, 14.02, None),
    ],
)
def test_an_event_of_a_sample_or_two_more_or_less_than_a_second_has_a_window(start_s, stop_s, window):
    assert tuev.window_start(tuev.Span(start_s, stop_s), 2800, 200.0) == window


@pytest.mark.parametrize("events", [[(0, 2.0, 4.0, 1)], [(0, 20.0, 21.0, 1)]])
def test_an_event_that_gives_no_window_of_five_seconds_is_refused(tmp_path, events):
    with pytest.raises(InputError, match="one second and lie within"):
        tuev.event_windows(_recording(tmp_path, events=events))


def test_missing_and_duplicate_electrodes_are_named(tmp_path):
    with pytest.raises(InputError, match="needs CZ, T3"):
        tuev.event_windows(_recording(tmp_path, names=[n for n in REFERENTIAL if n not in ("T3", "CZ")]))
    with pytest.raises(InputError, match="O1 must occur once"):
        tuev.event_windows(_recording(tmp_path, names=[*REFERENTIAL, "O1"]))


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_signals_that_have_not_the_amplitude_of_eeg_are_not_stored(tmp_path, scale):
    path = _recording(tmp_path, data=scale * signals(REFERENTIAL, 14, 250))
    with pytest.raises(InputError, match=r"preprocessed signals: .* must lie in 0.5 to 2000 uV"):
        preprocess(path, tmp_path / "a.arrow", filtering=EEGDM, processing="")
    assert not (tmp_path / "a.arrow").exists()


@pytest.mark.parametrize("kind", ["EDF+C", "EDF+D"])
def test_gaps_are_refused_and_consecutive_records_read_whatever_the_header_says(tmp_path, kind):
    write_stamped(tmp_path / "a.edf", range(14), kind)
    write_rec(tmp_path / "a.rec", EVENTS)
    assert tuev.event_windows(tmp_path / "a.edf")[0].shape == (4, 22, 1000)
    write_stamped(tmp_path / "a.edf", [*range(7), *range(8, 15)], kind)
    with pytest.raises(InputError, match="time stamps: must follow each other"):
        tuev.event_windows(tmp_path / "a.edf")
