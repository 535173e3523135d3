"""Recordings lose what identifies a patient, and keep every bit of their signals."""

import json
import shutil
import stat
from pathlib import Path

import mne
import numpy as np
import pytest

from eegdiffusion.commands.deidentify import command
from eegdiffusion.core.deidentification.kept_texts import KeptTexts
from eegdiffusion.core.recordings.edf_header import read_header
from eegdiffusion.core.recordings.patient_identity import patient_identity
from eegdiffusion.core.runtime.errors import InputError
from tests import planted
from tests.tuev_fixture import write_corpus, write_rec


def run(*words: object) -> None:
    command.main([str(word) for word in words], standalone_mode=False)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def only(folder: Path, ending: str) -> Path:
    (path,) = folder.rglob(f"*{ending}")
    return path


def test_no_mark_of_the_patient_is_left_in_any_format(tmp_path, capsys):
    corpus, out, key = tmp_path / "Mueller", tmp_path / "out", tmp_path / "keys/site.json"
    planted.write_edf(corpus / "train/Mueller_Hannelore/Mueller 1.edf")
    write_rec(corpus / "train/Mueller_Hannelore/Mueller 1.rec", [(0, 0.0, 1.0, 6), ("Mueller", 1, 2, 3)])
    planted.write_edf(corpus / "train/Mueller_Hannelore/plain.EDF", plus=False, seed=1)
    planted.write_fif(corpus / "Mueller_raw.fif")
    planted.write_vhdr(corpus / "Mueller/eeg.vhdr")
    bids = corpus / "sub-Mueller/ses-19610403/eeg/sub-Mueller_ses-19610403_task-Weber_run-1"
    planted.write_edf(Path(f"{bids}_eeg.edf"), seed=2)
    Path(f"{bids}_events.tsv").write_text(
        f"onset\tduration\ttrial_type\tnotes\n1\tn/a\t{planted.NOTE}\tx\n2\t0\tS  1\tDrWeber\n"
    )
    (corpus / "patients.csv").write_text("Mueller")
    run(corpus, "--out", out, "--key", key)
    written = files(out)
    assert len([name for name in written if name.endswith((".edf", ".fif", ".vhdr"))]) == 5
    for name, content in written.items():
        assert planted.marks_in(name) == []
        assert planted.marks_in(content) == [], name
    assert "left out: patients.csv" in capsys.readouterr().out
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert planted.NOTE in json.loads(key.read_text())["texts"]
    report = written["deidentification.csv"].decode()
    for field in (
        "patient identification",
        "recording identification",
        "annotation",
        "label",
        "transducer",
        "start date,shifted",
    ):
        assert field in report
    (rec,) = (content for name, content in written.items() if name.endswith(".rec"))
    assert rec == b"0,0.0,1.0,6\n"
    (events,) = (content.decode() for name, content in written.items() if name.endswith("_events.tsv"))
    assert events.splitlines()[0] == "onset\tduration\ttrial_type"
    assert events.splitlines()[2] == "2\t0\tS  1"


@pytest.mark.parametrize("plus", [True, False])
def test_edf_keeps_signals_clock_and_what_says_nothing_of_the_patient(tmp_path, plus):
    source = tmp_path / "in/a.edf"
    planted.write_edf(source, plus)
    run(source, "--out", tmp_path / "out", "--key", tmp_path / "key.json")
    target = only(tmp_path / "out", ".edf")
    before, after = (mne.io.read_raw_edf(path, preload=True, verbose="error") for path in (source, target))
    assert np.array_equal(before.get_data(), after.get_data())
    assert after.ch_names[:19] == before.ch_names[:19]
    assert after.ch_names[19] == "CH20"
    old, new = read_header(source), read_header(target)
    shift = (old.start - new.start).days
    assert 365 <= shift <= 15 * 365
    assert new.start.time() == old.start.time()
    assert new.channels["unit"] == old.channels["unit"]
    assert new.channels["prefilter"][:2] == ["HP:0.1Hz LP:70Hz", ""]
    assert new.channels["transducer"][0] == "AgAgCl electrode"
    if plus:
        assert list(after.annotations.onset) == list(before.annotations.onset) == [1, 2.5, 3]
        assert list(after.annotations.duration) == [0, 1, 0]
        assert list(after.annotations.description) == ["text 1", "Eyes open", "text 1"]
    assert patient_identity(new.patient).named_fields == []


def test_fif_and_brainvision_keep_signals_and_times(tmp_path):
    planted.write_fif(tmp_path / "in/a_raw.fif")
    planted.write_vhdr(tmp_path / "in/b.vhdr")
    run(tmp_path / "in", "--out", tmp_path / "out", "--key", tmp_path / "key.json")
    for name, reader in (("a_raw.fif", mne.io.read_raw_fif), ("b.vhdr", mne.io.read_raw_brainvision)):
        before = reader(tmp_path / "in" / name, preload=True, verbose="error")
        after = reader(only(tmp_path / "out", Path(name).suffix), preload=True, verbose="error")
        assert np.array_equal(before.get_data(), after.get_data())
        assert after.ch_names[-1].startswith("CH")
        assert after.ch_names[:-1] == before.ch_names[:-1]
        assert 365 <= (before.info["meas_date"] - after.info["meas_date"]).days <= 15 * 365
        assert np.allclose(after.annotations.onset, before.annotations.onset)
    assert (tmp_path / "in/b.eeg").read_bytes() == only(tmp_path / "out", ".eeg").read_bytes()


def test_one_patient_has_one_code_and_one_shift_and_another_another(tmp_path):
    for k, name in enumerate(("a", "b", "c")):
        planted.write_edf(tmp_path / f"in/{name}.edf", seed=k)
    content = bytearray((tmp_path / "in/c.edf").read_bytes())
    content[8:88] = b"0815 M 01-JAN-1970 Schmidt_Karl".ljust(80)
    (tmp_path / "in/c.edf").write_bytes(content)
    run(tmp_path / "in", "--out", tmp_path / "out", "--key", tmp_path / "key.json")
    headers = [read_header(path) for path in sorted((tmp_path / "out").rglob("*.edf"))]
    starts = {header.patient.split()[0]: [] for header in headers}
    for header in headers:
        starts[header.patient.split()[0]].append(header.start)
    assert sorted(map(len, starts.values())) == [1, 2]
    assert len(set(next(dates for dates in starts.values() if len(dates) == 2))) == 1
    assert len({date for dates in starts.values() for date in dates}) == 2


def test_the_same_key_goes_on_with_the_same_codes(tmp_path):
    planted.write_edf(tmp_path / "in/a.edf")
    run(tmp_path / "in", "--out", tmp_path / "out", "--key", tmp_path / "key.json")
    first = files(tmp_path / "out")
    planted.write_edf(tmp_path / "in/b.edf", seed=1)
    run(tmp_path / "in", "--out", tmp_path / "out", "--key", tmp_path / "key.json")
    second = files(tmp_path / "out")
    assert len(second) == len(first) + 1
    assert all(second[name] == content for name, content in first.items() if name.endswith(".edf"))
    assert len({Path(name).parent for name in second if name.endswith(".edf")}) == 1
    shutil.rmtree(tmp_path / "out")
    run(tmp_path / "in", "--out", tmp_path / "out", "--key", tmp_path / "key.json")
    assert files(tmp_path / "out").keys() == second.keys()


def test_a_date_that_edf_cannot_hold_goes(tmp_path):
    planted.write_edf(tmp_path / "in/a.edf", year=1985)
    run(tmp_path / "in", "--out", tmp_path / "out", "--key", tmp_path / "key.json")
    target = only(tmp_path / "out", ".edf").read_bytes()
    assert target[168:176] == b"01.01.85"
    assert target[88:168].strip() == b"Startdate X X X X"
    assert "start date,removed,1" in (tmp_path / "out/deidentification.csv").read_text()


def test_a_corpus_of_tuevs_layout_stays_one(tmp_path):
    from eegdiffusion.events.corpora import tuev_files

    write_corpus(tmp_path / "edf")
    run(tmp_path / "edf", "--out", tmp_path / "out", "--key", tmp_path / "key.json")
    before, after = (tuev_files.find_recordings(tmp_path / name)[0] for name in ("edf", "out"))
    assert len(before) == len(after)
    subjects = [[tuev_files.subject_of(path)[0] for path in paths] for paths in (before, after)]
    assert subjects[0].count("train") == subjects[1].count("train")
    assert len(list((tmp_path / "out").rglob("*.rec"))) == len(list((tmp_path / "edf").rglob("*.rec")))


def test_a_word_list_lets_texts_stay(tmp_path):
    planted.write_edf(tmp_path / "in/a.edf")
    (tmp_path / "words.txt").write_text("EKG Mueller\n")
    run(
        tmp_path / "in",
        "--out",
        tmp_path / "out",
        "--key",
        tmp_path / "key.json",
        "--keep-text",
        tmp_path / "words.txt",
    )
    assert read_header(only(tmp_path / "out", ".edf")).labels[19] == "EKG Mueller"


@pytest.mark.parametrize(
    ("label", "stays"),
    [
        ("EEG FP1-REF", True), ("Fp1", True), ("POL LA12", True), ("EOG left", True), ("SpO2", True),
        ("EEG A1-A2", True),
        ("T7", True), ("EDF Annotations", True), ("EEG CZ-LE", True), ("E129", True), ("Anna", False),
        ("EEG Anna", False), ("Dr. Weber", False), ("ECG Kim", False), ("Mueller1961", False),
    ],
)  # fmt: skip
def test_labels_of_sensors_stay_and_others_become_numbers(label, stays):
    assert KeptTexts().label(label, 7) == (label if stays else "CH7")


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("", True), ("Sleep stage N2", True), ("S  1", True), ("spsw", True), ("lights off", True), ("T0", True),
        ("Photic on 10 Hz", True), ("Anna awake", False), ("S Weber", False), ("see note", False),
        ("1961-04-03", False),
    ],
)  # fmt: skip
def test_annotations_of_standards_stay_and_others_become_codes(text, stays):
    texts = KeptTexts()
    assert (texts.annotation(text) == text) is stays
    assert texts.codes == ({} if stays else {text: "text 1"})


@pytest.mark.parametrize(
    ("patient", "fields", "has_key"),
    [
        ("X X X X", [], False), ("", [], False), ("anonymous", [], False), ("aaaaaaar M X aaaaaaar", [], True),
        ("4711 F 02-AUG-1951 Haagse_Harry", ["name", "birth date"], True), ("Harry Haagse", ["name"], True),
        ("4711 F X X", [], True), ("4711 F 01-JAN-1951 4711", [], True), ("X X X surrogate", [], False),
    ],
)  # fmt: skip
def test_an_identification_says_whether_it_names_somebody(patient, fields, has_key):
    identity = patient_identity(patient)
    assert identity.named_fields == fields
    assert (identity.key is not None) is has_key


def test_what_cannot_be_done_is_refused_and_the_others_are_done(tmp_path, capsys):
    planted.write_edf(tmp_path / "in/a.edf")
    (tmp_path / "in/b.edf").write_bytes(b"0       " + b"Mueller" * 30)
    (tmp_path / "in/c_raw.fif").write_bytes(b"Mueller")
    (tmp_path / "in/d.vhdr").write_text("[Common Infos]\nDataFile=d.eeg\n")
    with pytest.raises(InputError, match="3 recordings were refused"):
        run(tmp_path / "in", "--out", tmp_path / "out", "--key", tmp_path / "key.json")
    assert len(list((tmp_path / "out").rglob("*.edf"))) == 1
    printed = capsys.readouterr().out
    assert "b.edf: " in printed
    assert "1 recordings are done" in printed


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["in", "--out", "in/out", "--key", "key.json"], "--out: .*must lie apart"),
        (["in", "--out", ".", "--key", "key.json"], "--out: .*must lie apart"),
        (["in", "--out", "out", "--key", "out/key.json"], "--key: .*must lie outside"),
        (["in", "--out", "full", "--key", "key.json"], "--out: .*must be a new folder"),
        (["nothing", "--out", "out", "--key", "key.json"], "there is no such file"),
        (["empty", "--out", "out", "--key", "key.json"], "must be a recording, or hold one"),
        (["in", "--out", "out", "--key", "open.json"], "only the owner may read the key"),
        (["in", "--out", "out", "--key", "bad.json"], "must be a key"),
    ],
)
def test_folders_and_keys_that_do_not_go_together_are_refused(tmp_path, monkeypatch, words, rule):
    monkeypatch.chdir(tmp_path)
    planted.write_edf(tmp_path / "in/a.edf")
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").touch()
    for name, content in (("open.json", '{"subjects": {}, "texts": {}}'), ("bad.json", "[]")):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o644 if name == "open.json" else 0o600)
    before = files(tmp_path)
    with pytest.raises(InputError, match=rule):
        run(*words)
    assert files(tmp_path) == before
