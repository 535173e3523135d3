"""Each defect of a recording is found, named, and rated."""

import shutil

import numpy as np
import pytest

from eegdiffusion.core.recordings import edf_header, edf_samples
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.filtering import EEGDM
from eegdiffusion.core.signal.montage import ELECTRODES
from eegdiffusion.events.corpora import recording_checks, tuev, tuev_files
from tests import planted
from tests.tuev_fixture import EVENTS, REFERENTIAL, signals, write_corpus, write_edf, write_rec


@pytest.fixture
def root(tmp_path):
    return write_corpus(tmp_path / "edf")


def _check(root, path="train/aaaaaaab/aaaaaaab_00000000.edf"):
    recording, problems = recording_checks.check_recording(root, root.joinpath(path).relative_to(root), EEGDM)
    return recording, {(p.check, p.field, p.severity) for p in problems}, problems


def test_a_sound_recording(root):
    recording, findings, _ = _check(root)
    assert not findings
    assert (recording.subject, recording.partition, recording.sfreq) == ("aaaaaaab", "train", 250)
    assert (recording.n_samples, recording.duration_s, recording.n_events) == (3500, 14, 4)


def test_eval_without_t1_t2_and_with_an_extra_channel_is_usable(root):
    recording, findings, problems = _check(root, "eval/001/bckg_001_a_.edf")
    assert recording.subject == "eval/001"
    assert findings == {("channels", "channels", "warning")}
    assert "EKG1" in problems[0].message


def test_a_header_that_names_a_patient_is_a_warning_which_does_not(root):
    path = root / "train/aaaaaaab/aaaaaaab_00000000.edf"
    planted.plant_header(path)
    recording, findings, problems = _check(root)
    assert recording.code is None
    assert findings == {("identity", "patient identification", "warning")}
    assert len(problems) == 2
    assert not planted.marks_in(repr((recording, problems)))


def _write_header(path, at, text, width):
    content = bytearray(path.read_bytes())
    content[at : at + width] = text.ljust(width).encode()
    path.write_bytes(content)


def _defect(name, root, path):
    rec = path.with_suffix(".rec")
    match name:
        case "no rec":
            rec.unlink()
        case "malformed rec":
            rec.write_text("1,2.0,x,3\n")
        case "event past the end":
            write_rec(rec, [(1, 13.5, 14.5, 1)])
        case "long event":
            write_rec(rec, [(1, 3, 5, 1)])
        case "missing electrode":
            write_edf(path, names=[n for n in REFERENTIAL if n != "C3"])
        case "electrode twice":
            write_edf(path, names=[*REFERENTIAL, "C3"])
        case "two references":
            content = path.read_bytes()
            path.write_bytes(content.replace(b"EEG C3-REF", b"EEG C3-LE "))
        case "low rate":
            write_edf(path, rate=128)
        case "volts called microvolts":
            write_edf(path, data=signals(REFERENTIAL, 14, 250) * 1e-6)
        case "microvolts called millivolts":
            write_edf(path, unit="mV")
        case "unknown unit":
            write_edf(path, unit="degC")
        case "truncated":
            path.write_bytes(path.read_bytes()[:-2000])
        case "not an EDF":
            path.write_bytes(b"no EDF at all" * 100)
        case "header cut":
            path.write_bytes(path.read_bytes()[:700])
        case "binary rec":
            rec.write_bytes(bytes(range(256)) * 4)
        case "event of three samples too few":
            write_rec(rec, [(1, 4.1, 5.085, 1)])
        case "times in samples":
            write_rec(rec, [(1, 1025, 1275, 1), (1, 2000, 2250, 1)])
        case "no edf":
            path.unlink()
        case "dangling link":
            path.unlink()
            path.symlink_to("nowhere.edf")
        case "negative signal count":
            _write_header(path, 252, "-1", 4)
        case "endless record":
            _write_header(path, 244, "inf", 8)
        case "with gaps":
            _write_header(path, 192, "EDF+D", 44)


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("no rec", ("events", "rows", "error")),
        ("malformed rec", ("events", "rows", "error")),
        ("event past the end", ("events", "stop", "error")),
        ("long event", ("events", "start, stop", "error")),
        ("missing electrode", ("electrodes", "channels", "error")),
        ("electrode twice", ("electrodes", "channels", "error")),
        ("two references", ("electrodes", "channels", "error")),
        ("low rate", ("rate", "sampling rate", "error")),
        ("volts called microvolts", ("amplitude", "unit", "error")),
        ("microvolts called millivolts", ("amplitude", "unit", "error")),
        ("unknown unit", ("unit", "physical dimension", "error")),
        ("truncated", ("truncated", "file size", "error")),
        ("not an EDF", ("header", "header", "error")),
        ("header cut", ("header", "header", "error")),
        ("binary rec", ("events", "rows", "error")),
        ("event of three samples too few", ("events", "start, stop", "error")),
        ("times in samples", ("events", "stop", "error")),
        ("no edf", ("header", "header", "error")),
        ("dangling link", ("header", "header", "error")),
        ("negative signal count", ("header", "header", "error")),
        ("endless record", ("header", "header", "error")),
        ("with gaps", ("gaps", "reserved", "error")),
    ],
)
def test_a_defect_is_found_and_the_recording_left_out(root, name, finding):
    path = root / "train/aaaaaaab/aaaaaaab_00000000.edf"
    _defect(name, root, path)
    recording, findings, problems = _check(root)
    assert recording is None
    assert finding in findings
    assert all(problem.path.startswith("train/aaaaaaab/") and problem.message for problem in problems)


def test_a_rec_file_without_its_recording_is_listed(root):
    (root / "train/aaaaaaab/aaaaaaab_00000000.edf").unlink()
    assert "train/aaaaaaab/aaaaaaab_00000000.edf" in {path.as_posix() for path in tuev_files.find_recordings(root)[0]}


def test_no_damaged_header_stops_the_check(root):
    path = root / "train/aaaaaaab/aaaaaaab_00000000.edf"
    sound, draw = path.read_bytes(), np.random.default_rng(0)
    header_bytes = int(sound[184:192])
    for _ in range(300):
        content = bytearray(sound)
        for at in draw.integers(0, header_bytes, 3):
            content[at] = draw.choice(list(b"0123456789.-+eEnai uVm\xb5\xff\x00"))
        path.write_bytes(content)
        recording, findings, _ = _check(root)
        assert recording is not None or any(severity == "error" for *_, severity in findings)


def test_oddities_are_warned_of_and_kept(root):
    path = root / "train/aaaaaaab/aaaaaaab_00000000.edf"
    data = signals(REFERENTIAL, 14, 256)
    data[REFERENTIAL.index("F7")] = 0.0
    write_edf(path, rate=256, data=data)
    write_rec(path.with_suffix(".rec"), [*EVENTS, (0, 0.0, 1.0, 5)])
    recording, findings, problems = _check(root)
    assert recording.sfreq == 256
    assert findings == {
        ("rate", "sampling rate", "warning"),
        ("amplitude", "signal", "warning"),
        ("events", "label", "warning"),
    }
    messages = " ".join(problem.message for problem in problems)
    assert "256" in messages
    assert "flat: F7" in messages
    assert "[5, 6]" in messages


def test_a_row_that_cannot_be_used_costs_that_row_alone(root):
    rec = root / "train/aaaaaaab/aaaaaaab_00000000.rec"
    rows = ["0,2.0,3.0,1", "0,13.5,14.5,1", "0,4.0,6.0,2", "a header", "3,4.121,5.120,1", "7,4.0,5.0,9", "0,-1,0,1"]
    rec.write_text("\n".join(rows))
    recording, findings, problems = _check(root)
    assert recording.n_events == 2
    left_out = recording_checks.LEFT_OUT
    assert findings == {(left_out, field, "warning") for field in ("rows", "stop", "start, stop")}
    assert sorted(problem.message.partition(":")[0] for problem in problems) == [f"line {k}" for k in (2, 3, 4, 6, 7)]
    assert {problem.path for problem in problems} == {"train/aaaaaaab/aaaaaaab_00000000.rec"}
    events = recording_checks.read_usable_events(rec, recording, EEGDM)
    assert list(events) == [0, 4]
    assert events[4] == tuev.Event(3, 4.121, 5.120, 0)


def test_milliseconds_are_recognised_and_told(root):
    rec = root / "train/aaaaaaab/aaaaaaab_00000000.rec"
    write_rec(rec, [(0, 2000, 3000, 1), (3, 4100, 5099, 2), (3, 13900, 14900, 2)])
    recording, findings, _ = _check(root)
    assert recording.n_events == 2
    assert findings == {("events", "start, stop", "warning"), (recording_checks.LEFT_OUT, "stop", "warning")}


def test_rows_of_no_text_are_counted(root):
    rec = root / "train/aaaaaaab/aaaaaaab_00000000.rec"
    rec.write_text("0,2.0,3.0,1\n" + "x\n" * 130)
    recording, _, problems = _check(root)
    assert recording.n_events == 1
    assert len(problems) == recording_checks.MOST_LISTED + 1
    assert "30 more rows" in problems[-1].message


def test_the_same_data_twice_and_a_subject_on_both_sides(root):
    source = root / "train/aaaaaaab/aaaaaaab_00000000.edf"
    for suffix in (".edf", ".rec"):
        shutil.copy(source.with_suffix(suffix), root / f"train/aaaaaaac/copy{suffix}")
        (root / "eval/aaaaaaad").mkdir(exist_ok=True)
        other = root / "train/aaaaaaae/aaaaaaae_00000000.edf"
        shutil.copy(other.with_suffix(suffix), root / f"eval/aaaaaaad/bckg_009_a_{suffix}")
    paths, _ = tuev_files.find_recordings(root)
    recordings = [recording_checks.check_recording(root, path, EEGDM)[0] for path in paths]
    found = {(p.check, p.path) for p in recording_checks.check_corpus(recordings)}
    assert ("duplicate", "train/aaaaaaac/copy.edf") in found
    assert ("duplicate", "train/aaaaaaae/aaaaaaae_00000000.edf") in found  # the test partition keeps its copy
    assert ("leakage", "eval/aaaaaaad/bckg_009_a_.edf") in found
    assert len(found) == 3


@pytest.mark.parametrize(("make", "rule"), [((), "no such folder"), (("train",), "train/ and eval/")])
def test_a_root_of_another_shape_is_refused(tmp_path, make, rule):
    for name in make:
        (tmp_path / "x" / name).mkdir(parents=True)
    with pytest.raises(InputError, match=rule):
        tuev_files.find_recordings(tmp_path / "x")


def test_samples_are_read_as_mne_reads_them(root):
    import mne

    path = root / "train/aaaaaaab/aaaaaaab_00000000.edf"
    header = edf_header.read_header(path)
    microvolts = edf_samples.read_records(header, 3, 4, [header.labels.index("EEG O1-REF"), 0])
    raw = mne.io.read_raw_edf(path, verbose="error")
    expected = raw.get_data(["EEG O1-REF", header.labels[0]], start=750, stop=1750)
    assert np.array_equal(microvolts, expected)
    assert len(ELECTRODES) == 19
