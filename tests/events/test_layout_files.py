"""Files of event corpora as hospitals and their software write them: what is read from them, and what is refused."""

import dataclasses
import datetime
import re
from pathlib import Path

import edfio
import mne
import numpy as np
import pandas
import pytest
import scipy.io

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.filtering import EEGDM
from eegdiffusion.core.storage.array_file import load_arrays
from eegdiffusion.events.corpora import bids
from eegdiffusion.events.corpora.checked_corpus import check_corpus
from eegdiffusion.events.corpora.event_corpus import EventCorpus, WindowLabels, channel_recipe
from eegdiffusion.events.corpora.layouts import open_corpus
from tests.recording_files import write_annotated_edf, write_brainvision
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


TUH_NAMES = [
    f"EEG {name.upper()}-LE"
    for name in ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T3", "T4", "T5", "T6")
]
HEADER = "# version = csv_v1.0.0\n# bname = x\n# duration = 20.00 secs\n#\n"
ROWS = [
    ("channel", "start_time", "stop_time", "label", "confidence"),
    ("FP1-F7", "0.0000", "10.0000", "bckg", "1.0000"),
    ("F7-T3", "0.0000", "10.0000", "bckg", "1.0000"),
    ("FP1-F7", "10.0000", "20.0000", "fnsz", "1.0000"),
    ("F7-T3", "10.0000", "20.0000", "fnsz", "1.0000"),
]


def _table(mark: str = ",", head: str = HEADER) -> str:
    return head + "".join(mark.join(row) + "\n" for row in ROWS)


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        (".csv", _table().encode()),
        (".csv", _table().replace("\n", "\r\n").encode()),
        (".csv", b"\xef\xbb\xbf" + _table().encode()),
        (".csv", _table(head="").encode("utf-16")),
        (".csv", _table(", ").encode()),
        (".csv", _table().replace("fnsz", "FNSZ").replace("channel,", "Channel,").replace("label", "Label").encode()),
        (".CSV", _table().encode()),
        (".csv_bi", _table().encode()),
        (".CSV_BI", _table().encode()),
    ],
    ids=["plain", "lines of Windows", "mark", "UTF-16", "blanks", "letters", "ending", "csv_bi", "ending of csv_bi"],
)
def test_tuhs_tables_of_each_channel_label_where_there_is_no_other(tmp_path, ending, content):
    path = tmp_path / "train/aaaaaaaa/s001/aaaaaaaa_s001_t000.edf"
    write_annotated_edf(path, TUH_NAMES, signals(TUH_NAMES, 20, RATE), RATE)
    path.with_name(path.stem + ending).write_bytes(content)
    windows, _, errors, reader = _read(EventCorpus(root=str(tmp_path), layout="tuh", montage="double_banana_16"))
    assert not errors
    (rows,) = windows.values()
    assert rows == [(0.0, "bckg"), (5.0, "bckg"), (10.0, "fnsz"), (15.0, "fnsz")]
    assert path.stem + ending in {file.name for file in reader.files_of(path.relative_to(tmp_path))}


def test_tuhs_table_of_the_whole_recording_comes_before_that_of_each_channel(tmp_path):
    path = tmp_path / "aaaaaaaa_s001_t000.edf"
    write_annotated_edf(path, TUH_NAMES, signals(TUH_NAMES, 10, RATE), RATE)
    path.with_suffix(".csv").write_text(_table())
    path.with_suffix(".csv_bi").write_text("channel,start_time,stop_time,label\nTERM,0,10,seiz\n")
    windows, _, _, reader = _read(EventCorpus(root=str(tmp_path), layout="tuh", montage="double_banana_16"))
    assert next(iter(windows.values())) == [(0.0, "seiz"), (5.0, "seiz")]
    assert [file.suffix for file in reader.files_of(Path(path.name))] == [".edf", ".csv_bi"]


def _bids_place(root: Path, subject: str = "01", more: str = "") -> Path:
    folder = root / f"sub-{subject}/eeg"
    folder.mkdir(parents=True, exist_ok=True)
    text = "onset\tduration\ttrial_type\n0\t10\topen\n10\t10\tclosed\n"
    (folder / f"sub-{subject}_task-rest_events.tsv").write_text(text)
    return folder / f"sub-{subject}_task-rest{more}_eeg"


def _raw(seed: int = 3, extra: tuple[str, ...] = (), seconds: float = 20):
    data = signals([*TEN_TWENTY, *extra], seconds, RATE, seed) * 1e-6
    kinds = ["eeg"] * len(TEN_TWENTY) + ["stim" if name.startswith("ST") else "eog" for name in extra]
    return mne.io.RawArray(data, mne.create_info([*TEN_TWENTY, *extra], RATE, kinds), verbose="error")


def _write_bdf(path: Path) -> None:
    """Write BDF as BioSemi does, with a channel Status of triggers."""
    rows = [*(_raw().get_data() * 1e6), np.arange(5120) % 7.0]
    units = ["uV"] * len(TEN_TWENTY) + ["Boolean"]
    recorded = [
        edfio.BdfSignal(row, RATE, label=label, physical_dimension=unit, physical_range=(row.min() - 1, row.max() + 1))
        for row, label, unit in zip(rows, [*TEN_TWENTY, "Status"], units, strict=True)
    ]
    edfio.Bdf(recorded).write(path)


def _write_set(path: Path, apart: bool) -> None:
    """Write EEGLAB's structure in microvolts, its samples in it or in a file beside it."""
    values = (_raw().get_data() * 1e6).astype("<f4")
    if apart:
        values.T.tofile(path.with_suffix(".fdt"))
    places = np.array([(name,) for name in TEN_TWENTY], dtype=[("labels", object)])
    document = {
        "data": f"{path.stem}.fdt" if apart else values, "nbchan": len(values), "pnts": values.shape[1], "trials": 1,
        "srate": RATE, "xmin": 0.0, "xmax": 20.0, "chanlocs": places, "event": np.array([]), "epoch": np.array([]),
    }  # fmt: skip
    scipy.io.savemat(path, {"EEG": document})


def _write_fif(path: Path) -> None:
    _raw(extra=("STI 014", "HEOG")).save(path.with_name(path.name.lower()), verbose="error")


def _write_upper_brainvision(path: Path) -> None:
    write_brainvision(path.with_suffix(".vhdr"), _raw())
    for ending in (".vhdr", ".eeg", ".vmrk"):
        path.with_suffix(ending).rename(path.with_suffix(ending.upper()))


FORMATS = {
    "BrainVision": (".vhdr", lambda path: write_brainvision(path, _raw())),
    "BrainVision in nanovolts": (".vhdr", lambda path: write_brainvision(path, _raw(), unit="nV", scale=1e9)),
    "BrainVision in upper case": (".VHDR", _write_upper_brainvision),
    "BDF": (".bdf", _write_bdf),
    "EDF": (".edf", lambda path: write_annotated_edf(path, TEN_TWENTY, _raw().get_data() * 1e6, RATE)),
    "EEGLAB": (".set", lambda path: _write_set(path, apart=False)),
    "EEGLAB with samples apart": (".set", lambda path: _write_set(path, apart=True)),
    "FIF": (".fif", _write_fif),
    "FIF, compressed": (".fif.gz", _write_fif),
}
"""Format -> ending and writer of the same signals."""


@pytest.mark.parametrize("kind", FORMATS)
def test_bids_is_read_in_every_format(tmp_path, kind):
    ending, write = FORMATS[kind]
    place = _bids_place(tmp_path)
    path = place.with_name(place.name + ending)
    write(path)
    entry = EventCorpus(root=str(tmp_path), layout="bids", montage="double_banana_16")
    windows, _, errors, reader = _read(entry)
    assert not errors
    ((recording, rows),) = windows.items()
    assert rows == [(0.0, "open"), (5.0, "open"), (10.0, "closed"), (15.0, "closed")]
    derived = reader.derive(path, recording, EEGDM)
    plain = tmp_path / "plain.edf"
    write_annotated_edf(plain, TEN_TWENTY, _raw().get_data() * 1e6, RATE, [(0, 20, "rest")])
    annotated = open_corpus(
        EventCorpus(root=str(tmp_path), layout="annotations", montage="double_banana_16"), EEGDM, reader.recipe
    )
    expected = annotated.derive(plain, "plain", EEGDM)
    assert np.abs(derived - expected).max() < 1e-3, "tenths of a microvolt"
    beside = {file for file in path.parent.iterdir() if not file.name.endswith(".json")}
    assert {tmp_path / file for file in reader.files_of(path.relative_to(tmp_path))} == beside


def test_a_split_fif_recording_in_bids_is_one(tmp_path):
    place = _bids_place(tmp_path)
    _raw(seconds=100).save(
        place.with_name(place.name + ".fif"), split_size="2MB", split_naming="bids", overwrite=True, verbose="error"
    )
    assert len(list(place.parent.glob("*.fif"))) > 1
    windows, _, errors, reader = _read(EventCorpus(root=str(tmp_path), layout="bids", montage="double_banana_16"))
    assert not errors
    assert [len(rows) for rows in windows.values()] == [4]
    first, *others = sorted(place.parent.glob("*.fif"))
    assert {*others} < {tmp_path / file for file in reader.files_of(first.relative_to(tmp_path))}
    first.unlink()
    with pytest.raises(InputError, match="is a further part of a recording"):
        _read(EventCorpus(root=str(tmp_path), layout="bids", montage="double_banana_16"))


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("onset\tduration\ttrial_type\r\n0\t10\topen\r\n10\t10\tclosed\r\n", "oocc"),
        ("\ufeffonset\tduration\ttrial_type\n0\t10\topen\n10\t10\tclosed\n", "oocc"),
        ("onset\tduration\ttrial_type\n0,0\t10,0\topen\n10,0\t10,0\tclosed\n", "oocc"),
        ("trial_type\tonset\tduration\tsample\nopen\t0\t10\t0\nclosed\t10\t10\t2560\n", "oocc"),
        ("onset\tduration\ttrial_type\n10\t10\tclosed\n0\t10\topen\n", "oocc"),
        ("onset\tduration\ttrial_type\n2.0\tn/a\topen\n12.0\t0\tclosed\n", "oc"),
        ("onset\tduration\ttrial_type\n0\t5\topen\n-3\t1\tclosed\n90\t1\tclosed\n", "o"),
        ("onset\ttrial_type\n1\topen\n11\tclosed\n", "oc"),
    ],
    ids=["Windows", "mark", "commas", "order of columns", "order of rows", "moments", "outside", "no duration"],
)
def test_tables_of_events_are_read_as_they_are_written(tmp_path, table, expected):
    place = _bids_place(tmp_path)
    write_brainvision(place.with_name(place.name + ".vhdr"), _raw())
    place.with_name("sub-01_task-rest_events.tsv").write_bytes(table.encode())
    windows, warnings, errors, _ = _read(EventCorpus(root=str(tmp_path), layout="bids", montage="double_banana_16"))
    assert not errors
    (rows,) = windows.values()
    assert "".join(label[0] for _, label in rows) == expected
    if "90" in table:
        assert any("2 annotations label no window" in text for text in warnings)


def test_chbmits_files_are_named_in_any_case(tmp_path):
    folder = tmp_path / "chb03"
    write_annotated_edf(folder / "CHB03_01.EDF", TEN_TWENTY, _raw().get_data() * 1e6, RATE)
    (folder / "chb03-summary.txt").write_text(
        "File Name: chb03_01.edf\nNumber of Seizures in File: 1\nSeizure Start Time: 5 seconds\n"
        "Seizure End Time: 10 seconds\n"
    )
    windows, warnings, errors, _ = _read(EventCorpus(root=str(tmp_path), layout="chbmit", montage="double_banana_16"))
    assert not errors
    assert not any("not there" in text for text in warnings)
    assert [label for _, label in next(iter(windows.values()))] == ["background", "seizure", "background", "background"]


def _annotations_entry(root: Path, **changes) -> EventCorpus:
    return EventCorpus(root=str(root), layout="annotations", montage="double_banana_16", **changes)


def test_of_two_files_of_one_name_the_first_keeps_its_own_labels(tmp_path):
    write_annotated_edf(tmp_path / "a.edf", TEN_TWENTY, _raw(1).get_data() * 1e6, RATE, [(0, 20, "rest")])
    write_brainvision(tmp_path / "a.vhdr", _raw(2), ["Mk1=Stimulus,S1,1,1280,0"])
    windows, _, errors, _ = _read(_annotations_entry(tmp_path))
    assert errors == ["a.vhdr: name: is that of a.edf but for its ending"]
    assert windows == {"a": [(0.0, "rest"), (5.0, "rest"), (10.0, "rest"), (15.0, "rest")]}


def test_what_is_no_continuous_recording_is_named_and_costs_nothing(tmp_path):
    write_annotated_edf(tmp_path / "A.EDF", TEN_TWENTY, _raw().get_data() * 1e6, RATE, [(0, 20, "rest")])
    _mne_epochs().save(tmp_path / "b-epo.fif", verbose="error")
    windows, warnings, errors, _ = _read(_annotations_entry(tmp_path))
    assert not errors
    assert [*windows] == ["A"]
    assert [text for text in warnings if text.startswith("b-epo.fif: path: is no continuous recording")]


def test_markers_of_brainvision_are_annotations(tmp_path):
    markers = ["Mk1=New Segment,,1,1,0,20200101000000000000", "Mk2=Stimulus,S  1,1281,1,0",
               "Mk3=Comment,eyes\\1 open,2561,256,0"]  # fmt: skip
    (tmp_path / "Müller Hans").mkdir()
    write_brainvision(tmp_path / "Müller Hans" / "Aufnahme 1.vhdr", _raw(), markers)
    windows, *_ = _read(_annotations_entry(tmp_path, labels=WindowLabels(place="onset")))
    assert windows == {"Müller Hans/Aufnahme 1": [(5.0, "Stimulus/S  1"), (10.0, "Comment/eyes, open")]}


def test_annotations_of_a_cropped_recording_are_in_seconds_from_its_first_sample(tmp_path):
    raw = _raw()
    raw.set_meas_date(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
    notes = mne.Annotations([5.0, 10.0], [5.0, 5.0], ["EO", "EC"], orig_time=raw.info["meas_date"])
    raw.set_annotations(notes)
    raw.crop(5, 19).save(tmp_path / "a_raw.fif", verbose="error")
    assert _read(_annotations_entry(tmp_path))[0] == {"a_raw": [(0.0, "EO"), (5.0, "EC")]}


def test_participants_have_one_split_each_with_or_without_sub(tmp_path):
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\tage\tSplit\n01\t30\tTest\nsub-02\t40\tdev\nsub-03\tn/a\tn/a\n01\t30\teval\n")
    assert bids.read_splits(tmp_path) == {"sub-01": "test", "sub-02": "validation", "sub-03": ""}
    table.write_text("participant_id\tsplit\n01\ttrain\nsub-01\ttest\n")
    with pytest.raises(InputError, match=r"participants\.tsv, line 3: split: must be one for sub-01 \(found 'train'"):
        bids.read_splits(tmp_path)
