"""Each layout of event corpora on small real files: labels, windows, times, subjects, splits, and what is refused."""

import dataclasses
from pathlib import Path

import mne
import numpy as np
import pandas
import pytest
import scipy

from components.ingest_events.compute import compute
from components.ingest_events.settings import IngestEvents
from components.preprocess_events.compute import compute as preprocess_corpus
from components.preprocess_events.settings import PreprocessEvents
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.filtering import EEGDM, Filtering
from eegdiffusion.core.signal.montages import choose_montage
from eegdiffusion.events.corpora import chbmit, chbmit_summary
from eegdiffusion.events.corpora.event_corpus import EventCorpus, WindowLabels, channel_recipe, corpus_filtering
from eegdiffusion.events.corpora.layouts import open_corpus
from eegdiffusion.events.store.window_store import Store
from eegdiffusion.surrogate.chbmit.case_files import seizure_file
from tests.recording_files import write_annotated_edf
from tests.tuev_fixture import signals

PAIRS = choose_montage("double_banana_16").names
TEN_TWENTY = ["FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T7", "T8", "P7", "P8"]
CHB = [pair.replace("T3", "T7").replace("T4", "T8").replace("T5", "P7").replace("T6", "P8") for pair in PAIRS]


def _edf(path: Path, labels, seconds=40, rate=256, annotations=(), seed=0, data=None) -> None:
    data = signals(labels, seconds, rate, seed) if data is None else data
    write_annotated_edf(path, labels, data, rate, annotations)


def _open(entry: EventCorpus):
    return open_corpus(entry, EEGDM, channel_recipe(entry, {}))


def _ingest(entry: EventCorpus, settings: IngestEvents, out: Path, work: Path):
    return compute(entry, settings, EEGDM, channel_recipe(entry, {}), out, work)


def _windows(entry: EventCorpus) -> tuple[dict, list, object]:
    reader = _open(entry)
    paths, problems = reader.find_recordings()
    recordings = []
    for path in paths:
        some, others = reader.check_file(path)
        recordings += some
        problems += others
    problems += reader.check_corpus(recordings)
    events, names = reader.events(recordings), reader.class_names(recordings)
    windows = {
        recording: [(row.start_s, names[row.label]) for row in rows.itertuples()]
        for recording, rows in events.groupby("recording")
    }
    return windows, problems, reader


def _refusal(problems) -> str:
    return "\n".join(f"{p.path}: {p.field}: {p.message}" for p in problems if p.severity == "error")


REST = WindowLabels(classes={"open": ["EO", "eyes open"], "closed": ["EC"]}, background="other")


def test_annotated_files_are_labelled_by_their_annotations(tmp_path):
    notes = [(0, 10, "EO"), (12, 3, "EC"), (30, 10, "eyes open"), (21, 1, "cough")]
    _edf(tmp_path / "ann_1.edf", TEN_TWENTY, annotations=notes)
    raw = mne.io.RawArray(signals(CHB, 12, 200, 1) * 1e-6, mne.create_info(CHB, 200.0, "eeg"), verbose="error")
    raw.set_annotations(mne.Annotations([5.0], [5.0], ["EC"]))
    raw.save(tmp_path / "bob_raw.fif", verbose="error")
    entry = EventCorpus(root=str(tmp_path), layout="annotations", montage="double_banana_16", labels=REST)
    windows, problems, reader = _windows(entry)
    assert [label for _, label in windows["ann_1"]] == ["open", "open", "closed", *["other"] * 3, "open", "open"]
    assert windows["bob_raw"] == [(0.0, "other"), (5.0, "closed")]
    assert any("'cough' (1)" in problem.message for problem in problems)
    assert {reader.layout.place(Path(name)).subject for name in ("ann_1.edf", "bob_raw.fif")} == {"ann", "bob"}
    derived = reader.derive(tmp_path / "ann_1.edf", "ann_1", EEGDM)
    assert derived.shape == (16, 8000)


def test_windows_at_onsets_begin_where_the_annotation_does(tmp_path):
    _edf(tmp_path / "a/x.edf", TEN_TWENTY, seconds=20, annotations=[(3.5, 0.5, "hit"), (18, 0.5, "miss")])
    labels = WindowLabels(place="onset", offset_s=-1.0)
    entry = EventCorpus(root=str(tmp_path), layout="annotations", montage="double_banana_16", labels=labels)
    windows, problems, _ = _windows(entry)
    assert windows == {"a/x": [(2.5, "hit")]}
    assert any("1 annotations label no window: miss at 18 to 18.5 s" in problem.message for problem in problems)


@pytest.mark.parametrize("unit", [1.0, 1e-6])
def test_epochs_of_unknown_subjects_need_a_split(tmp_path, unit):
    data = signals([str(k) for k in range(20 * 16)], 2, 255).reshape(20, 16, 510) * unit
    arrays = {"X": data, "y": np.arange(20) % 2, "ch_names": CHB, "sfreq": 255}
    entry = EventCorpus(
        root=str(tmp_path), layout="epochs", montage="double_banana_16", window_s=2.0,
        labels=WindowLabels(classes={"short": ["0"], "long": ["1"]}),
    )  # fmt: skip
    np.savez(tmp_path / "all.npz", **arrays)
    _, problems, reader = _windows_or_refusals(entry)
    assert "all.npz: subject: must be known, as splits are by subject" in _refusal(problems)
    (tmp_path / "all.npz").unlink()
    np.savez(tmp_path / "all.npz", **arrays, split=["train"] * 15 + ["test"] * 5)
    windows, problems, reader = _windows(entry)
    assert [len(windows[f"all/unknown ({split})-{split}"]) for split in ("train", "validation", "test")] == [12, 3, 5]
    assert {label for _, label in windows["all/unknown (validation)-validation"]} == {"long", "short"}
    assert [label for _, label in windows["all/unknown (test)-test"]] == ["long", "short", "long", "short", "long"]
    derived = reader.derive(tmp_path / "all.npz", "all/unknown (test)-test", EEGDM)
    assert derived.shape == (16, 5 * 400)
    one_after_the_other = arrays | {"y": np.repeat([0, 1], 10)}
    np.savez(tmp_path / "all.npz", **one_after_the_other, split=(["train"] * 8 + ["test"] * 2) * 2)
    windows = _windows(entry)[0]
    labels = [label for _, label in windows["all/unknown (validation)-validation"]]
    assert labels == ["short", "short", "long", "long"], "a class after the other in the file, and both validate"
    np.savez(tmp_path / "all.npz", **arrays, subject=["a"] * 10 + ["b"] * 10)
    assert {name: len(rows) for name, rows in _windows(entry)[0].items()} == {"all/a": 10, "all/b": 10}
    short = dataclasses.replace(entry, window_s=3.0)
    assert "all.npz: X: an epoch must last window_s" in _refusal(_windows_or_refusals(short)[1])


def _windows_or_refusals(entry):
    reader = _open(entry)
    paths, problems = reader.find_recordings()
    for path in paths:
        problems += reader.check_file(path)[1]
    return {}, problems, reader


SUMMARY = """Data Sampling Rate: 256 Hz
*************************
Channels in EDF Files:
**********************
Channel 1: FP1-F7

File Name: {first}
File Start Time: 23:59:50
File End Time: 24:00:30
Number of Seizures in File: 1
Seizure Start Time: 5 seconds
Seizure End Time: 36 seconds

Channels changed:
Channel 1: FP1-F7
Channel 2: -

File Name: {second}
Number of Seizures in File: 2
Seizure 1 Start Time: 11 seconds
Seizure 1 End Time: 12 seconds
Seizure 2 Start Time: 21 seconds
Seizure 2 End Time: 29 seconds
"""


def _case(root: Path, case: str, first: str, second: str, seed: int) -> None:
    labels = [*CHB[:8], "-", *CHB[8:], "T8-P8", "-"]
    for k, name in enumerate((first, second)):
        data = signals(labels, 40, 256, seed + k)
        data[-2] = data[labels.index("T8-P8")]
        _edf(root / case / name, labels, data=data)
    (root / case / f"{case}-summary.txt").write_text(SUMMARY.format(first=first, second=second))


@pytest.fixture(scope="module")
def chb(tmp_path_factory):
    root = tmp_path_factory.mktemp("chb")
    _case(root, "chb01", "chb01_03.edf", "chb01_16+.edf", 0)
    _case(root, "chb17", "chb17a_03.edf", "chb17b_63.edf", 10)
    _case(root, "chb21", "chb21_01.edf", "chb21_02.edf", 20)
    for name, seconds in (("chb01_03", (5, 36)), ("chb01_16+", (11, 12))):
        (root / f"chb01/{name}.edf.seizures").write_bytes(seizure_file([256 * second for second in seconds], 256))
    return root


def test_chbmit_is_labelled_by_overlap_and_a_person_is_one_subject(chb):
    entry = EventCorpus(root=str(chb), layout="chbmit", montage="double_banana_16", window_s=10.0)
    windows, problems, reader = _windows(entry)
    assert not _refusal(problems)
    assert [label for _, label in windows["chb01/chb01_03"]] == ["seizure"] * 4
    assert [label for _, label in windows["chb17/chb17a_03"]] == ["seizure"] * 4, "the interior too"
    assert [label for _, label in windows["chb01/chb01_16+"]] == ["background", "seizure", "seizure", "background"]
    assert reader.class_names([]) == ["background", "seizure"]
    assert reader.layout.place(Path("chb21/chb21_01.edf")).subject == "chb01"
    disagreements = [problem for problem in problems if "chb01_16+.edf.seizures are 11 to 12 s" in problem.message]
    assert [problem.path for problem in disagreements] == ["chb01/chb01_16+.edf"]
    assert not any("duration" in problem.field for problem in problems), "24:00:30 is half a minute after midnight"


def test_chbmit_by_the_papers_protocol_warns_and_keeps_its_rule(chb):
    entry = EventCorpus(root=str(chb), layout="chbmit", montage="double_banana_16", window_s=10.0, protocol="paper")
    windows, problems, reader = _windows(entry)
    assert sorted(windows) == ["chb01/chb01_03", "chb01/chb01_16+", "chb21/chb21_01", "chb21/chb21_02"]
    assert any(problem.path == "chb17" and "left out" in problem.message for problem in problems)
    aligned = [label for _, label in windows["chb01/chb01_03"]][:4]
    assert aligned == ["seizure", "background", "background", "seizure"], "a window inside the seizure counts as none"
    added = [start for start, _ in windows["chb01/chb01_03"]][4:]
    assert np.allclose(added, 4 - 1 / 256 + 5 * np.arange(6)), "those that would end after the recording are left out"
    assert reader.layout.place(Path("chb21/chb21_01.edf")) == ("validation", "chb21")
    assert "chb21" in reader.warnings[0]
    assert "paper" in reader.name
    filtering = corpus_filtering(entry, EEGDM)
    derived = reader.derive(chb / "chb01/chb01_03.edf", "chb01/chb01_03", filtering)
    assert derived.shape == (16, 10 * 2000)
    volts = mne.io.read_raw_edf(chb / "chb01/chb01_03.edf", verbose="error").get_data("FP1-F7")[:, 2560:5120]
    expected = mne.filter.filter_data(scipy.signal.resample(volts, 2000, axis=1), 200.0, 0.5, 75.0, verbose="error")
    expected = mne.filter.notch_filter(expected, 200.0, 60.0, verbose="error")[0] * 1e4
    assert np.allclose(derived[0, 2000:4000], expected, atol=1e-9), "each window by itself, as the published ones"
    own = dataclasses.replace(entry, filtering=Filtering(low_hz=1.0))
    assert corpus_filtering(own, EEGDM).low_hz == 1.0
    assert corpus_filtering(dataclasses.replace(entry, protocol="events"), EEGDM) == EEGDM


def test_summaries_that_contradict_themselves_are_refused(tmp_path):
    path = tmp_path / "chb01-summary.txt"
    path.write_text("File Name: a.edf\nNumber of Seizures in File: 2\nSeizure Start Time: 1 seconds\n")
    with pytest.raises(InputError, match=r"a\.edf: Number of Seizures: must be that of the starts and ends"):
        chbmit_summary.read_summary(path)
    path.write_text("File Name: a.edf\nNumber of Seizures in File: x\n")
    with pytest.raises(InputError, match="line 2: number of seizures in file: must be a number"):
        chbmit_summary.read_summary(path)
    path.write_text("nothing\n")
    with pytest.raises(InputError, match="File Name: must name a recording"):
        chbmit_summary.read_summary(path)
    with pytest.raises(InputError, match="must have the case"):
        chbmit.case_of(Path("x/y.edf"))


def test_tuh_is_labelled_by_table_or_folder(tmp_path):
    names = [f"EEG {name.replace('T7', 'T3').replace('T8', 'T4').replace('P7', 'T5').replace('P8', 'T6')}-LE"
             for name in TEN_TWENTY]  # fmt: skip
    labels = [*names, "PHOTIC-REF"]
    table = "# version = csv_v1.0.0\n# bname = x\nchannel,start_time,stop_time,label,confidence\n"
    seizure = tmp_path / "train/aaaaaaac/s001_2002/02_tcp_le/aaaaaaac_s001_t000.edf"
    _edf(seizure, labels, seconds=20)
    seizure.with_suffix(".csv_bi").write_text(table + "TERM,0.0,10.0,bckg,1.0\nTERM,10.0,18.5,seiz,1.0\n")
    _edf(tmp_path / "eval/normal/01_tcp_ar/aaaaabbb_s001_t000.edf", labels, seconds=10, seed=1)
    _edf(tmp_path / "eval/aaaaabbc/aaaaabbc_s001_t000.edf", labels, seconds=10, seed=2)
    entry = EventCorpus(root=str(tmp_path), layout="tuh", montage="double_banana_16")
    windows, problems, reader = _windows(entry)
    rows = windows["train/aaaaaaac/s001_2002/02_tcp_le/aaaaaaac_s001_t000"]
    assert [label for _, label in rows] == ["bckg", "bckg", "seiz", "seiz"]
    assert [label for _, label in windows["eval/normal/01_tcp_ar/aaaaabbb_s001_t000"]] == ["normal", "normal"]
    assert "aaaaabbc_s001_t000.edf: annotations: must be in a file" in _refusal(problems)
    assert reader.layout.place(Path("dev/x/aaaaaaac_s001.edf")) == ("validation", "aaaaaaac")


def _bids(root: Path) -> None:
    """Write a BIDS tree of six subjects with sessions, a bad channel and an EOG, and splits of two of them."""
    for k in range(6):
        stem = f"sub-{k:02d}_ses-pre_task-rest"
        folder = root / f"sub-{k:02d}/ses-pre/eeg"
        _edf(folder / f"{stem}_eeg.edf", [*TEN_TWENTY, "Cz", "EOG"], seconds=20, seed=k)
        rows = "onset\tduration\ttrial_type\n0\t10\teyes_open\n10\t10\teyes_closed\n12\tn/a\tn/a\n"
        (folder / f"{stem}_events.tsv").write_text(rows)
        channels = "".join(f"{name}\tEEG\tuV\t{'bad' if name == 'O2' else 'good'}\n" for name in [*TEN_TWENTY, "Cz"])
        (folder / f"{stem}_channels.tsv").write_text("name\ttype\tunits\tstatus\n" + channels + "EOG\tEOG\tuV\tgood\n")
    (root / "participants.tsv").write_text(
        "participant_id\tsplit\n" + "".join(f"sub-{k:02d}\t{'test' if k < 2 else 'n/a'}\n" for k in range(6))
    )


def test_bids_is_ingested_with_the_splits_that_it_gives(tmp_path):
    _bids(tmp_path / "tree")
    labels = WindowLabels(classes={"open": ["eyes_open"], "closed": ["eyes_closed"]})
    entry = EventCorpus(root=str(tmp_path / "tree"), layout="bids", montage="double_banana_16", labels=labels)
    settings = IngestEvents(validation_fraction=0.3)
    corpus = _ingest(entry, settings, tmp_path / "index", tmp_path)
    assert corpus.events.loc["test"].to_dict() == {"open": 4, "closed": 4}
    recordings = pandas.read_parquet(tmp_path / "index/recordings.parquet")
    assert set(recordings.loc[recordings["split"] == "test", "subject"]) == {"sub-00", "sub-01"}
    problems = pandas.read_parquet(tmp_path / "index/problems.parquet")
    assert problems["message"].str.contains("are bad, and are interpolated from the others: O2").sum() == 6
    wrong = dataclasses.replace(labels, column="stimulus")
    with pytest.raises(InputError, match="unusable"):
        _ingest(dataclasses.replace(entry, labels=wrong), settings, tmp_path / "other", tmp_path)
    assert "stimulus" in (tmp_path / "problems.csv").read_text()


def test_the_store_of_a_bids_tree_has_its_montage_classes_and_windows(tmp_path):
    _bids(tmp_path / "tree")
    labels = WindowLabels(classes={"open": ["eyes_open"], "closed": ["eyes_closed"]})
    entry = EventCorpus(root=str(tmp_path / "tree"), layout="bids", montage="double_banana_16", labels=labels)
    _ingest(entry, IngestEvents(validation_fraction=0.3), tmp_path / "index", tmp_path)
    settings = PreprocessEvents(filtering=EEGDM, workers=1)
    preprocess_corpus(tmp_path / "tree", tmp_path / "index", settings, tmp_path / "store", tmp_path)
    store = Store(tmp_path / "store")
    assert (store.channels, store.classes) == (PAIRS, ["open", "closed"])
    windows = store.event_windows("test")
    assert windows.labels.tolist() == [0, 0, 1, 1] * 2
    stored = windows[2]["signal"]
    path = tmp_path / "tree/sub-00/ses-pre/eeg/sub-00_ses-pre_task-rest_eeg.edf"
    derived = _open(entry).derive(path, path.relative_to(entry.root).with_suffix("").as_posix(), EEGDM)
    assert np.abs(stored - derived[:, 2000:3000]).max() < 1e-3
