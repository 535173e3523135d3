"""Files of corpora, reader by reader: as many are used or named as there are, however they are reached or spelled."""

import os
from pathlib import Path

import pytest

from eegdiffusion.core.signal.filtering import EEGDM
from eegdiffusion.core.storage.problems import table
from eegdiffusion.events.corpora import recording_checks, tuev, tuev_files
from eegdiffusion.images.corpora import bids_eeg, things_eeg2
from tests.tuev_fixture import write_corpus

READERS = {
    "tuev": (tuev_files.find_recordings, "train/{}/{}.edf"),
    "bids": (bids_eeg.find_bids_recordings, "sub-{}/ses-a/eeg/sub-{}_task-x_eeg.vhdr"),
    "derivatives": (bids_eeg.find_bids_recordings, "derivatives/eeglab/sub-{}_{}_continuous.set"),
    "raw": (lambda root: things_eeg2.find_partition_files(root, things_eeg2.RAW), "raw/sub-{}/{}/raw_eeg_training.npy"),
    "preprocessed": (
        lambda root: things_eeg2.find_partition_files(root, things_eeg2.PREPROCESSED),
        "x/sub-{}/{}/preprocessed_eeg_test.npy",
    ),
}


def _root(path: Path) -> Path:
    for name in ("train", "eval"):
        (path / name).mkdir(parents=True)
    return path


@pytest.mark.parametrize("reader", READERS)
def test_as_many_files_are_listed_as_there_are(reader, tmp_path):
    find, pattern = READERS[reader]
    root, other = _root(tmp_path / "corpus"), tmp_path / "other"
    names = [pattern.format(*[f"{k:02d}"] * 2) for k in range(5)]
    for name in names[:3]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
        (root / name).with_name(f"._{(root / name).name}").touch()  # macOS writes these on disks of others
    upper = root / names[1]
    upper.rename(upper.with_suffix(upper.suffix.upper()))
    # The third's folder lies on another disk, the fourth is a link to nothing, as of git-annex, the fifth's is offline.
    place = (root / names[2]).parent
    if reader != "derivatives":  # all of which lie in one folder
        place.rename(other)
        place.symlink_to(other)
    for name in names[3:]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / names[3]).symlink_to(tmp_path / "nowhere" / Path(names[3]).name)
    if reader != "derivatives":
        (root / names[4]).parent.rmdir()
        (root / names[4]).parent.symlink_to(tmp_path / "offline")
    files, problems = find(root)
    listed = {str(path).removeprefix(f"{root}/") for path in files} | {problem.path for problem in problems}
    assert not [name for name in listed if "._" in name]
    for name in names[: 4 if reader == "derivatives" else 5]:
        spellings = {name, str(Path(name).with_suffix(Path(name).suffix.upper())), str(Path(name).parent)}
        assert len(spellings & listed) == 1, (name, listed)
    assert len(listed) == (4 if reader == "derivatives" else 5)


def test_tuevs_files_are_read_by_whatever_case_their_endings_have(tmp_path):
    root = write_corpus(tmp_path / "edf", train=2, test=1)
    path = root / "train/aaaaaaab/aaaaaaab_00000000.edf"
    for ending in (".edf", ".rec"):
        path.with_suffix(ending).rename(path.with_suffix(ending.upper()))
    paths, problems = tuev_files.find_recordings(root)
    assert (len(paths), problems) == (4, [])
    checked = {path.name: recording_checks.check_recording(root, path, EEGDM)[0] for path in paths}
    recording = checked["aaaaaaab_00000000.EDF"]
    assert recording.recording == "train/aaaaaaab/aaaaaaab_00000000"
    assert recording.n_events == len(tuev.read_rec(tuev.rec_file(root / recording.path))) == 4


def test_two_of_tuevs_files_that_differ_in_the_case_of_their_ending_are_not_one_recording(tmp_path):
    root = write_corpus(tmp_path / "edf", train=2, test=1)
    path = root / "train/aaaaaaab/aaaaaaab_00000000.edf"
    path.with_suffix(".EDF").write_bytes((root / "eval/000/bckg_000_a_.edf").read_bytes())
    paths, _ = tuev_files.find_recordings(root)
    recordings = [recording_checks.check_recording(root, path, EEGDM)[0] for path in paths]
    problems = {problem.path: problem.message for problem in recording_checks.check_corpus(recordings)}
    assert "but for its ending" in problems["train/aaaaaaab/aaaaaaab_00000000.edf"]


def test_a_second_way_to_one_of_tuevs_files_is_named_and_no_second_recording(tmp_path):
    root = write_corpus(tmp_path / "edf", train=2, test=1)
    path = root / "train/aaaaaaab/aaaaaaab_00000000.edf"
    (root / "train/aaaaaaab/copy.edf").symlink_to(path)
    (root / "train/aaaaaaad").symlink_to(path.parent)
    paths, problems = tuev_files.find_recordings(root)
    assert len(paths) == 4
    assert {(problem.path, problem.severity) for problem in problems} == {
        ("train/aaaaaaab/copy.edf", "error"),
        ("train/aaaaaaad", "warning"),
    }


def _write_patient(path: Path, patient: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[8:88] = patient.ljust(80)
    path.write_bytes(content)


def test_what_tuevs_reader_does_not_read_is_named(tmp_path):
    root = write_corpus(tmp_path / "edf", train=2, test=1)
    subject = root / "train/aaaaaaab"
    (root / "dev/aaaaaaaz").mkdir(parents=True)
    (root / "docs").mkdir()
    for name in ("train/aaaaaaab/x.edf.gz", "train/aaaaaaab/y.bdf", "dev/aaaaaaaz/z.edf", "docs/x.txt"):
        (root / name).write_bytes(b"0")
    (subject / "aaaaaaab_00000000.REC").write_text("0,1,2,1\n")
    paths, problems = tuev_files.find_recordings(root)
    assert len(paths) == 4
    assert {problem.path: problem.message.partition(":")[0] for problem in problems} == {
        "dev": "is not read, as only train/ and eval/ are (found 1 .edf files in it)",
        "train/aaaaaaab/x.edf.gz": "is of a format that is not read",
        "train/aaaaaaab/y.bdf": "is of a format that is not read",
        "train/aaaaaaab/aaaaaaab_00000000.REC": (
            "is not read, as the events of the recording are those of aaaaaaab_00000000.rec"
        ),
    }
    assert {problem.severity for problem in problems} == {"warning"}


def test_a_subject_of_tuev_has_one_folder(tmp_path):
    root = write_corpus(tmp_path / "edf", train=5, test=1)
    (root / "train/aaaaaaac").rename(root / "train/AAAAAAAB")  # differs from another in case alone
    for subject in ("aaaaaaad", "aaaaaaae"):  # of one patient by their headers
        _write_patient(next((root / f"train/{subject}").glob("*.edf")), b"aaaaaaad X X X")
    for path in (root / "train/aaaaaaaa").glob("*_00000001.*"):
        path.rename(root / "train" / path.name)  # in no folder of a subject
    paths, _ = tuev_files.find_recordings(root)
    checked = [recording_checks.check_recording(root, path, EEGDM) for path in paths]
    problems = [problem for _, problems in checked for problem in problems]
    problems += recording_checks.check_corpus([recording for recording, _ in checked if recording])
    errors = {Path(problem.path).parts[1]: problem.message for problem in problems if problem.severity == "error"}
    assert errors.keys() == {"aaaaaaab", "aaaaaaae", "aaaaaaaa_00000001.edf"}
    assert "aaaaaaad is the subject of train/aaaaaaad/ too" in errors["aaaaaaae"]
    assert "aaaaaaab is the subject of train/AAAAAAAB/ too" in errors["aaaaaaab"]
    assert "must lie in the folder of its subject" in errors["aaaaaaaa_00000001.edf"]


def test_names_that_are_no_text_are_refused_by_name(tmp_path):
    root = write_corpus(tmp_path / "edf", train=2, test=1)
    path = root / "train/aaaaaaab/aaaaaaab_00000000.edf"
    path.rename(Path(os.fsdecode(os.fsencode(path.parent) + b"/ward\xe9.edf")))
    paths, _ = tuev_files.find_recordings(root)
    refused = [problem for path in paths for problem in recording_checks.check_recording(root, path, EEGDM)[1]]
    assert ("train/aaaaaaab/ward\\xe9.edf", "must be of text that can be printed, in UTF-8") in {
        (row["path"], row["message"]) for row in table(refused)
    }
