"""Corpora of every layout are watched: what counts, what does not, and what is refused."""

import json
import os
import shutil
import sys
from pathlib import Path

import mlflow
import mne
import numpy as np
import pytest
import yaml

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.operations.orchestration import corpus_watch
from tests import things_fixture
from tests.dags.airflow_home import ROOT
from tests.recording_files import write_annotated_edf
from tests.tuev_fixture import EVENTS, signals, write_corpus, write_edf, write_rec

TEN_TWENTY = ["FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T7", "T8", "P7", "P8"]
MONTAGE = {"montage": "double_banana_16"}
SUMMARY = "File Name: {}\nNumber of Seizures in File: 1\nSeizure Start Time: 5 seconds\nSeizure End Time: 9 seconds\n\n"


def _edf(path: Path, seed: int, notes: tuple = ()) -> None:
    write_annotated_edf(path, TEN_TWENTY, signals(TEN_TWENTY, 14, 256, seed), 256, notes)


def _tuev(root: Path, k: int) -> Path:
    path = root / f"train/aaaaaaa{k}/aaaaaaa{k}_00000000.edf"
    write_edf(path, seed=k)
    write_rec(path.with_suffix(".rec"), EVENTS)
    return path


def _chbmit(root: Path, k: int) -> Path:
    path = root / f"chb{k:02d}/chb{k:02d}_01.edf"
    _edf(path, k)
    path.with_name(f"chb{k:02d}-summary.txt").write_text("Data Sampling Rate: 256 Hz\n\n" + SUMMARY.format(path.name))
    return path


def _tuh(root: Path, k: int) -> Path:
    path = root / f"train/aaaaaa{k:02d}/s001/aaaaaa{k:02d}_s001_t000.edf"
    _edf(path, k)
    path.with_suffix(".csv_bi").write_text("channel,start_time,stop_time,label\nTERM,0,14,bckg\n")
    return path


def _bids(root: Path, k: int) -> Path:
    path = root / f"sub-{k:02d}/eeg/sub-{k:02d}_task-rest_eeg.vhdr"
    data = signals(TEN_TWENTY, 14, 256, k)
    things_fixture.write_brainvision(path, data, TEN_TWENTY, 256)
    path.with_name(f"sub-{k:02d}_task-rest_events.tsv").write_text("onset\tduration\ttrial_type\n0\t14\trest\n")
    return path


def _annotations(root: Path, k: int) -> Path:
    path = root / f"{k:02d}_rest.edf"
    _edf(path, k, ((0, 14, "rest"),))
    return path


def _epochs(root: Path, k: int) -> Path:
    path = root / f"{k:02d}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    data = signals([str(n) for n in range(10 * 16)], 2, 250, k).reshape(10, 16, 500)
    arrays = {"X": data, "y": np.arange(10) % 2, "ch_names": TEN_TWENTY, "sfreq": 250, "subject": str(k), "unit": "uV"}
    np.savez(path, **arrays)
    return path


LAYOUTS = {
    "tuev": (_tuev, {}),
    "chbmit": (_chbmit, MONTAGE),
    "tuh": (_tuh, MONTAGE),
    "bids": (_bids, MONTAGE),
    "annotations": (_annotations, MONTAGE),
    "epochs": (_epochs, {"montage": "sixteen", "window_s": 2.0}),
}
"""Layout -> writer of one recording, and the rest of an entry."""


@pytest.fixture(scope="module")
def tracking(tmp_path_factory):
    """The address of a database of runs, which takes long to make."""
    return f"sqlite:///{tmp_path_factory.mktemp('tracking')}/mlflow.db"


@pytest.fixture
def watch(tmp_path, monkeypatch, tracking):
    """Look at corpora as the DAG does; return the exit status, and confirm what was announced."""
    document = yaml.safe_load((ROOT / "params.yaml").read_text())
    document["montages"]["sixteen"] = TEN_TWENTY
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking)

    def run(*words: str) -> int | None:
        monkeypatch.setattr(sys, "argv", ["corpus", "--state", ".corpus.json", "--settle-seconds", "0", *words])
        return corpus_watch.main()

    def look(event_corpora: dict, image_corpora: dict | None = None) -> int | None:
        document.update({"event_corpora": event_corpora, "image_corpora": image_corpora or {}})
        Path("params.yaml").write_text(yaml.safe_dump(document))
        if (status := run()) == 0:
            run("--confirm")
        return status

    return look


def _entry(layout: str) -> dict:
    return {"own": {"root": "own", "layout": layout} | LAYOUTS[layout][1]}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_recording_of_any_layout_counts_and_what_is_none_does_not(layout, watch, capsys):
    write, root, entry = LAYOUTS[layout][0], Path("own"), _entry(layout)
    if layout == "tuev":
        write_corpus(root, train=2, test=1)
    else:
        for k in range(1, 4):
            write(root, k)
    assert watch(entry) == 0
    assert watch(entry) == 99
    (root / "notes.txt").write_text("seen by the nurse")
    (root / "copy.part").write_bytes(b"x")
    capsys.readouterr()
    assert watch(entry) == 99
    printed = capsys.readouterr().out
    assert f"2 new files are of no recording of the layout {layout}" in printed
    assert "notes.txt" in printed
    assert watch(entry) == 99
    assert "notes.txt" not in capsys.readouterr().out, "named once"

    path = write(root, 9)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])
    for _ in range(2):
        with pytest.raises(InputError, match=r"1 of \d recordings are unusable, 1 of them new"):
            watch(entry)
        assert path.name in capsys.readouterr().out
    path.write_bytes(content)
    assert watch(entry) == 0
    (run,) = mlflow.search_runs(experiment_names=["eeg_ingest"], max_results=1, output_format="list")
    assert (run.data.params["corpus"], run.data.params["new_recordings"]) == ("own", "1")
    for file in path.parent.glob(f"{path.stem}.*"):
        file.unlink()
    assert watch(entry) == 0, "what is gone is a change too"
    assert watch(entry) == 99


LABELS = {
    "tuev": ("train/aaaaaaa9/aaaaaaa9_00000000.rec", "0,1.0,2.0,6\n"),
    "chbmit": ("chb09/chb09-summary.txt", SUMMARY.format("chb09_01.edf").replace("9 sec", "8 sec")),
    "tuh": ("train/aaaaaa09/s001/aaaaaa09_s001_t000.csv_bi", "channel,start_time,stop_time,label\nTERM,0,9,seiz\n"),
    "bids": ("sub-09/eeg/sub-09_task-rest_events.tsv", "onset\tduration\ttrial_type\n0\t14\tsleep\n"),
}
"""Layout -> a file that labels a recording, and other labels."""


@pytest.mark.parametrize("layout", LABELS)
def test_other_labels_of_a_recording_count(layout, watch, capsys):
    write, root, entry = LAYOUTS[layout][0], Path("own"), _entry(layout)
    for k in range(8, 10):
        write(root, k)
    if layout == "tuev":
        write_corpus(root, train=1, test=1)
    assert watch(entry) == 0
    name, text = LABELS[layout]
    whole = (root / name).read_text()
    (root / name).write_text(text)
    assert watch(entry) == 0
    assert "1 files are new, changed or gone" in capsys.readouterr().out
    (root / name).write_text("nothing")
    with pytest.raises(InputError, match="recordings are unusable, 1 of them new"):
        watch(entry)
    (root / name).write_text(whole)
    assert watch(entry) == 0


def test_samples_beside_a_header_count(watch):
    root, entry = Path("own"), _entry("bids")
    for k in range(1, 3):
        _bids(root, k)
    assert watch(entry) == 0
    path = root / "sub-02/eeg/sub-02_task-rest_eeg.eeg"
    path.write_bytes((0.9 * np.fromfile(path, "<f4")).astype("<f4").tobytes())
    assert watch(entry) == 0
    (root / "participants.tsv").write_text("participant_id\tsplit\nsub-01\ttest\nsub-02\ttrain\n")
    assert watch(entry) == 0
    (root / "participants.tsv").write_text("participant_id\tsplit\nsub-01\tsometimes\n")
    with pytest.raises(InputError, match=r"participants\.tsv, line 2: split"):
        watch(entry)


def test_a_link_that_leads_nowhere_is_refused_until_it_is_mended(watch, capsys):
    root, entry = Path("own"), _entry("annotations")
    for k in range(1, 4):
        _annotations(root, k)
    assert watch(entry) == 0
    (root / "09_rest.edf").symlink_to(Path("later.edf").absolute())
    with pytest.raises(InputError, match="1 of 4 recordings are unusable, 1 of them new"):
        watch(entry)
    assert "09_rest.edf" in capsys.readouterr().out
    _annotations(Path("elsewhere"), 9).rename("later.edf")
    assert watch(entry) == 0


def test_what_was_left_out_before_does_not_keep_its_neighbours_back(watch):
    root = Path("own")
    entry = {"own": _entry("chbmit")["own"]}
    for k in range(1, 22):
        _chbmit(root, k)
    bad = root / "chb21/chb21_02.edf"
    bad.write_bytes(b"broken")
    summary = bad.with_name("chb21-summary.txt")
    summary.write_text(summary.read_text() + SUMMARY.format(bad.name))
    assert watch(entry) == 0, "1 of 22 is within the share that is left out"
    _edf(bad.with_name("chb21_03.edf"), 99)
    summary.write_text(summary.read_text() + SUMMARY.format("chb21_03.edf"))
    assert watch(entry) == 0, "its summary has changed, the broken one has not"
    bad.write_bytes(b"broken again")
    with pytest.raises(InputError, match="1 of 23 recordings are unusable, 1 of them new"):
        watch(entry)


def test_one_corpus_that_is_not_valid_keeps_no_other_back(watch, capsys):
    corpora = {"a": {"root": "a", "layout": "annotations"} | MONTAGE, "b": {"root": "b", "layout": "tuh"} | MONTAGE}
    for k in range(1, 3):
        _annotations(Path("a"), k)
        _tuh(Path("b"), k)
    assert watch(corpora | {"c": {"root": "c", "layout": "bids"}}) == 0
    assert "c: event_corpora.c: not watched, as it is not there" in capsys.readouterr().out
    (Path("a") / "03_rest.edf").write_bytes(b"broken")
    _tuh(Path("b"), 3)
    assert watch(corpora) == 0
    assert "03_rest.edf" in capsys.readouterr().out
    with pytest.raises(InputError, match="a: 1 of 3 recordings are unusable"):
        watch(corpora)
    shutil.rmtree("b")
    Path("a/03_rest.edf").unlink()
    with pytest.raises(InputError, match=r"event_corpora\.b\.root: b is not a folder"):
        watch(corpora)


def _things(root: Path) -> tuple[dict, Path, Path]:
    things_fixture.write_image_set(root / "image_set")
    for session in (1, 2):
        for subject in (1, 2):
            folder = root / f"raw/sub-{subject:02d}/ses-{session:02d}"
            things_fixture.write_raw(folder / "raw_eeg_training.npy", 12, 1, 10 * subject + session, 250.0)
            things_fixture.write_raw(folder / "raw_eeg_test.npy", 4, 2, 100 + 10 * subject + session, 250.0)
    new = root / "raw/sub-03/ses-01/raw_eeg_training.npy"
    return {"layout": "things_eeg2_raw"}, new, root / "raw/sub-01/ses-01/raw_eeg_training.npy"


def _preprocessed(root: Path) -> tuple[dict, Path, Path]:
    things_fixture.write_preprocessed(root, bare=False)
    folder = root / "Preprocessed_data_250Hz"
    return (
        {"layout": "things_eeg2_preprocessed"},
        folder / "sub-02/preprocessed_eeg_training.npy",
        folder / "sub-01/preprocessed_eeg_training.npy",
    )


def _things_eeg1(root: Path) -> tuple[dict, Path, Path]:
    things_fixture.write_things_eeg1(root, milliseconds=False)
    old = root / "sub-01/eeg/sub-01_task-rsvp_eeg.vhdr"
    return {"layout": "things_eeg1"}, root / "sub-02/eeg/sub-02_task-rsvp_eeg.vhdr", old


def _kilogram(root: Path) -> tuple[dict, Path, Path]:
    things_fixture.write_kilogram(root)
    old = root / "sub-01/ses-01/eeg/sub-01_ses-01_task-tangram_eeg.vhdr"
    return {"layout": "kilogram"}, root / "sub-02/ses-01/eeg/sub-02_ses-01_task-tangram_eeg.vhdr", old


IMAGES = {
    "things_eeg2_raw": _things,
    "things_eeg2_preprocessed": _preprocessed,
    "things_eeg1": _things_eeg1,
    "kilogram": _kilogram,
}


def _copy_subject(old: Path, new: Path) -> None:
    """Copy a recording with the files beside it to another subject, whose name takes the place of the first one's."""
    for file in old.parent.iterdir():
        names = next(part for part in new.parts if part.startswith("sub-"))
        target = new.parent / file.name.replace("sub-01", names)
        target.parent.mkdir(parents=True, exist_ok=True)
        content = file.read_bytes()
        if file.suffix in (".vhdr", ".vmrk"):
            content = content.replace(b"sub-01", names.encode())
        target.write_bytes(content)


@pytest.mark.parametrize("layout", IMAGES)
def test_a_recording_of_any_corpus_of_images_counts(layout, watch, capsys):
    root = Path("own")
    entry, new, old = IMAGES[layout](root)
    epochs = {"things_eeg2_preprocessed": "official", "things_eeg2_raw": "demo"}.get(layout, "nice")
    corpora = {"own": entry | {"root": "own", "epochs": epochs}}
    assert watch({}, corpora) == 0
    assert watch({}, corpora) == 99
    (root / "notes.txt").write_text("seen")
    capsys.readouterr()
    assert watch({}, corpora) == 99
    assert "1 new files are of no recording" in capsys.readouterr().out
    _copy_subject(old, new)
    content = new.read_bytes()
    new.write_bytes(content[: len(content) // 3])
    with pytest.raises(InputError, match=r"1 of \d subjects, 0 of \d+ images are unusable, 1 of them new"):
        watch({}, corpora)
    assert "sub-0" in capsys.readouterr().out
    new.write_bytes(content)
    assert watch({}, corpora) == 0
    assert "Drift of" in capsys.readouterr().out
    assert watch({}, corpora) == 99
    picture = next(path for path in sorted(root.rglob("*")) if path.suffix in (".jpg", ".svg"))
    picture.write_bytes(picture.read_bytes() + b"\n")
    assert watch({}, corpora) == 0, "an image is another"
    if layout.startswith("things_eeg2"):
        picture.unlink()
        with pytest.raises(InputError, match=r"1 of 16 images are unusable"):
            watch({}, corpora)


def test_images_elsewhere_count_too(watch, tmp_path):
    things_fixture.write_eegcvpr40(Path("own"), legacy=False)
    pictures = Path("imagenet")
    for k in range(40):
        for n in (11, 12):
            things_fixture.write_picture(pictures / f"n{2000000 + k:08d}/n{2000000 + k:08d}_{n}.JPEG", 100 * k + n)
    files = {"signals": "eeg_5_95_std.pth", "splits": "block_splits_by_image_all.pth"}
    entry = {"layout": "eegcvpr40", "root": "own", "epochs": "eegcvpr40", "eegcvpr40": files, "images": str(pictures)}
    corpora = {"own": entry}
    assert watch({}, corpora) == 0
    assert watch({}, corpora) == 99
    assert watch({}, corpora) == 99
    things_fixture.write_picture(pictures / "n02000003/n02000003_11.JPEG", 7)
    assert watch({}, corpora) == 0
    (pictures / "n02000003/other.JPEG").write_bytes(b"of no index")
    assert watch({}, corpora) == 99


def test_entries_of_one_name_in_both_branches_are_kept_apart(watch):
    _annotations(Path("events"), 1)
    entry, *_ = _kilogram(Path("images"))
    events = {"own": {"root": "events", "layout": "annotations"} | MONTAGE}
    assert watch(events, {"own": entry | {"root": "images", "epochs": "nice"}}) == 0
    states = sorted(path.name for path in Path().glob(".corpus*"))
    assert states == [".corpus-own.json", ".corpus_of_image_corpora-own.json"]
    read = [set(json.loads(Path(name).read_text())["valid"]) for name in states]
    assert "01_rest.edf" in read[0]
    assert "stimuli.tsv" in read[1]


def test_a_file_that_is_not_read_is_not_hashed_nor_waited_for(watch):
    """A log that grows all the time keeps nothing back."""
    _annotations(Path("own"), 1)
    log = Path("own/recorder.log")
    log.write_text("x")
    os.utime(log, (4e9, 4e9))
    assert watch(_entry("annotations")) == 0
    assert json.loads(Path(".corpus-own.json").read_text())["seen"]["recorder.log"]["sha256"] == ""


def test_a_split_fif_recording_counts_with_its_parts(watch):
    root = Path("own")
    root.mkdir()
    data = signals(TEN_TWENTY, 100, 256, 1) * 1e-6
    raw = mne.io.RawArray(data, mne.create_info(TEN_TWENTY, 256.0, "eeg"), verbose="error")
    raw.set_annotations(mne.Annotations([0.0], [100.0], ["rest"]))
    raw.save(root / "a_raw.fif", split_size="2MB", verbose="error")
    assert len(list(root.iterdir())) > 1
    assert watch(_entry("annotations")) == 0
    valid = json.loads(Path(".corpus-own.json").read_text())["valid"]
    assert sorted(valid) == sorted(path.name for path in root.iterdir())
