"""Files of event corpora as hospitals and their software write them: what is read from them, and what is refused."""

import dataclasses
import re
from pathlib import Path

import mne
import numpy as np
import pandas
import pytest

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.filtering import EEGDM
from eegdiffusion.core.storage.array_file import load_arrays
from eegdiffusion.events.corpora.checked_corpus import check_corpus
from eegdiffusion.events.corpora.event_corpus import EventCorpus, WindowLabels, channel_recipe
from eegdiffusion.events.corpora.layouts import open_corpus
from tests.tuev_fixture import signals

TEN_TWENTY = ["Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T7", "T8", "P7", "P8"]
MUSE = {"muse": ["TP9", "AF7", "AF8", "TP10"]}
CLASSES = WindowLabels(classes={"short": ["0", "blink/short"], "long": ["1", "blink/long"]})
RATE = 256.0


def _read(entry: EventCorpus):
    """Return windows (recording -> [(start, class)]), messages of warnings, messages of errors, and the reader."""
    reader = open_corpus(entry, EEGDM, channel_recipe(entry, MUSE))
    paths, unread = reader.find_recordings()
    checked = check_corpus(reader, paths, unread)
    names = reader.class_names(checked.recordings)
    events = reader.events(checked.recordings) if checked.recordings else pandas.DataFrame()
    windows = {
        name: [(row.start_s, names[row.label]) for row in rows.itertuples()]
        for name, rows in (events.groupby("recording") if len(events) else ())
    }
    said: dict[str, list[str]] = {"error": [], "warning": []}
    for problem in checked.problems:
        said[problem.severity].append(f"{problem.path}: {problem.field}: {problem.message}")
    assert len(paths) == len({recording.path for recording in checked.recordings}) + len(
        {text.partition(": ")[0] for text in said["error"]} & {path.as_posix() for path in paths}
    ), "each file is used or listed"
    return windows, said["warning"], said["error"], reader


def _epochs_entry(root: Path, **changes) -> EventCorpus:
    entry = EventCorpus(root=str(root), layout="epochs", montage="muse", window_s=2.0, labels=CLASSES)
    return dataclasses.replace(entry, **changes)


def _mne_epochs(count: int = 8, seed: int = 0, extra: tuple[str, ...] = ("HEOG", "STI 014"), tmin: float = -0.5):
    """Epochs of 2.2 s of four electrodes, an eye channel and a trigger; classes take turns, a third is of none."""
    names = [*MUSE["muse"], *extra]
    kinds = ["eeg"] * 4 + [{"HEOG": "eog", "STI 014": "stim"}[name] for name in extra]
    data = signals([str(k) for k in range(count * len(names))], 2.2, RATE, seed).reshape(count, len(names), -1) * 1e-6
    events = np.stack([np.arange(count) * 1000, np.zeros(count, int), 1 + np.arange(count) % 3], axis=1)
    ids = {"blink/short": 1, "blink/long": 2, "cough": 3}
    info = mne.create_info(names, RATE, kinds)
    return mne.EpochsArray(data, info, events, tmin, ids, verbose="error")


def test_mnes_epochs_have_the_names_subjects_and_splits_of_the_file(tmp_path):
    epochs = _mne_epochs()
    epochs.metadata = pandas.DataFrame({"subject": [7, 7, 7, 7, 8, 8, 8, 8], "split": ["train"] * 4 + ["test"] * 4})
    epochs.info["bads"] = ["AF8"]
    epochs.save(tmp_path / "a-epo.fif", verbose="error")
    windows, warnings, errors, reader = _read(_epochs_entry(tmp_path))
    assert not errors
    assert {name: [label for _, label in rows] for name, rows in windows.items()} == {
        "a-epo/7-train": ["short", "long", "short"], "a-epo/8-test": ["long", "short", "long"]}  # fmt: skip
    assert any("are marked as bad, and used: AF8" in text for text in warnings)
    assert any("the first 2 s count" in text for text in warnings)
    assert sum("of no class are left out: 'cough' (1)" in text for text in warnings) == 2
    derived = reader.derive(tmp_path / "a-epo.fif", "a-epo/8-test", EEGDM)
    assert derived.shape[0] == 4
    own = epochs.get_data(["TP9"])[4, 0] * 1e4
    assert np.corrcoef(derived[0, :440:2], mne.filter.resample(own, up=200 / RATE)[:440:2])[0, 1] > 0.9


@pytest.mark.parametrize("name", ["a-epo.fif.gz", "A-EPO.FIF", "a_epo.fif", "sub 1-epo.fif", "train/sub1-epo.fif"])
def test_mnes_epochs_are_read_whatever_the_file_is_called(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    epochs = _mne_epochs()
    epochs.info["subject_info"] = {"his_id": "s1"}
    epochs.save(tmp_path / "x-epo.fif", verbose="error")
    if name.endswith(".gz"):
        epochs.save(tmp_path / name, verbose="error")
        (tmp_path / "x-epo.fif").unlink()
    else:
        (tmp_path / "x-epo.fif").rename(tmp_path / name)
    windows, _, errors, _ = _read(_epochs_entry(tmp_path))
    assert not errors
    assert [len(rows) for rows in windows.values()] == [6]
    assert next(iter(windows)).startswith(name.partition(".")[0])


def test_split_epochs_are_one_file(tmp_path):
    epochs = _mne_epochs(700)
    epochs.info["subject_info"] = {"his_id": "s1"}
    epochs.save(tmp_path / "a-epo.fif", split_size="4MB", verbose="error")
    assert len(list(tmp_path.iterdir())) > 1
    windows, _, errors, reader = _read(_epochs_entry(tmp_path))
    assert not errors
    assert {name: len(rows) for name, rows in windows.items()} == {"a-epo/s1": 467}
    assert {file.name for file in reader.files_of(Path("a-epo.fif"))} == {path.name for path in tmp_path.iterdir()}


def test_a_continuous_file_among_epochs_is_refused_by_name(tmp_path):
    _mne_epochs().save(tmp_path / "a-epo.fif", verbose="error")
    raw = mne.io.RawArray(np.zeros((4, 500)), mne.create_info(MUSE["muse"], RATE, "eeg"), verbose="error")
    raw.save(tmp_path / "b_raw.fif", verbose="error")
    _, _, errors, _ = _read(_epochs_entry(tmp_path))
    assert any(text.startswith("b_raw.fif: file: MNE cannot read epochs from it") for text in errors)
    assert any(text.startswith("a-epo.fif: subject: must be known") for text in errors)


def _arrays(count: int = 10) -> dict:
    data = signals([str(k) for k in range(count * 4)], 2, RATE).reshape(count, 4, -1)
    return {
        "X": data,
        "y": np.arange(count) % 2,
        "ch_names": MUSE["muse"],
        "sfreq": RATE,
        "subject": "ann",
        "unit": "uV",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"y": (np.arange(10) % 2).astype(float)},
        {"y": (np.arange(10) % 2)[:, None]},
        {"y": np.array(["0", "1"] * 5)},
        {"y": np.array([b"0", b" 1"] * 5)},
        {"ch_names": np.array([b"TP9", b"AF7", b"AF8", b"TP10"])},
        {"ch_names": ["tp9 ", "AF7", "af8", "TP10"]},
        {"sfreq": np.array([[RATE]])},
        {"sfreq": np.int32(256)},
        {"subject": np.array([1.0] * 10)},
        {"subject": np.array(["ann"])},
        {"subject": np.array([["ann"]] * 10)},
        {"unit": np.array(["µV"])},
        {"X": _arrays()["X"].astype(np.float32) * 1e-6, "unit": "V"},
        {"X": (_arrays()["X"] * 10).astype(np.int16), "unit": "0.1 uV"},
        {"extra": np.arange(3)},
    ],
    ids=lambda changes: " ".join(f"{name} {np.asarray(value).dtype.str}" for name, value in changes.items()),
)
def test_arrays_are_read_as_other_software_saves_them(tmp_path, changes):
    np.savez_compressed(tmp_path / "a.npz", **_arrays() | changes)
    if changes.get("unit") == "0.1 uV":
        _, _, errors, _ = _read(_epochs_entry(tmp_path))
        assert "unit" in errors[0]
        return
    windows, _, errors, _ = _read(_epochs_entry(tmp_path))
    assert not errors
    (rows,) = windows.values()
    assert [label for _, label in rows] == ["short", "long"] * 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": np.array([0, 1] * 5, object)}, "file: must be arrays of numbers and text.*y: holds object"),
        ({"X": np.full((10, 4, 512), None, object)}, "file: must be arrays of numbers and text.*X: holds object"),
        ({"y": np.zeros((10, 2))}, r"y: must have a label for each of 10 epochs \(found \(10, 2\)\)"),
        ({"y": np.zeros(9)}, r"y: must have a label for each of 10 epochs \(found \(9,\)\)"),
        ({"ch_names": ["TP9", "AF7", "AF8"]}, r"ch_names: must name 4 channels of X \(found 3\)"),
        ({"ch_names": ["TP9", "AF7", "AF8", "C3"]}, "channels: .*TP10"),
        ({"ch_names": ["TP9", "TP9", "AF8", "TP10"]}, "channels: "),
        ({"sfreq": "fast"}, "sfreq: must be a number of Hz"),
        ({"sfreq": 0.0}, "sfreq: must be from"),
        ({"sfreq": 100.0}, "sampling rate: must exceed 150 Hz"),
        ({"X": np.zeros((10, 4))}, r"X: must be numbers \(epochs, channels, samples\)"),
        ({"X": np.zeros((10, 4, 512), complex)}, r"X: must be numbers \(epochs, channels, samples\)"),
        ({"X": np.full((10, 4, 512), np.nan)}, "X: must hold an epoch whose values are all numbers"),
        ({"X": np.zeros((10, 4, 512))}, "unit: "),
        ({"subject": np.array(["a", "b"])}, "subject: must be one, or one for each of 10 epochs"),
        ({"split": "sometimes"}, "split: must be one of train"),
        ({"subject": ""}, "subject: must be known"),
        ({"y": np.full(10, np.nan)}, "labels: must give the recording a window"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_by_name_and_field(tmp_path, changes, message):
    np.savez(tmp_path / "a.npz", **_arrays() | changes)
    _, _, errors, _ = _read(_epochs_entry(tmp_path))
    assert len(errors) == 1
    assert errors[0].startswith("a.npz: ")
    assert re.search(message, errors[0]), errors[0]


def test_epochs_that_were_rejected_or_are_of_no_class_cost_themselves_alone(tmp_path):
    arrays = _arrays()
    arrays["X"][[2, 7], 1, 100] = np.nan
    labels = np.array(["0", "1"] * 5, "<U8")
    labels[[4, 5]] = "artefact"
    subjects = np.array(["ann"] * 4 + ["bob"] * 2 + ["cam"] * 4)
    np.savez(tmp_path / "a.npz", **arrays | {"y": labels, "subject": subjects})
    windows, warnings, errors, _ = _read(_epochs_entry(tmp_path))
    assert not errors
    assert {name: [label for _, label in rows] for name, rows in windows.items()} == {
        "a/ann": ["short", "long", "long"], "a/cam": ["short", "short", "long"]}  # fmt: skip
    assert any("2 epochs have values that are no numbers, and are left out: [2, 7]" in text for text in warnings)
    assert any("bob: has no epoch of a class, and is left out" in text for text in warnings)


def test_no_pickle_in_an_archive_of_arrays_is_read(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, X=np.zeros(3), y=np.array([{"a": 1}], object))
    assert list(load_arrays(path, ["X"], "must be arrays")) == ["X"]
    with pytest.raises(InputError, match=r"a\.npz: must be arrays \(y: holds object\)"):
        load_arrays(path, ["X", "y"], "must be arrays")
