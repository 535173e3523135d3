"""Ingestion of corpora of EEG and images, in the layouts as they are published."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
import scipy.linalg
import torch
import yaml
from sklearn.discriminant_analysis import _cov

from components.ingest_images.__main__ import main
from components.ingest_images.compute import split_images
from eegdiffusion.images.corpora.things_eeg2 import CHANNELS
from eegdiffusion.images.epochs.epoch_store import EpochStore
from tests.e2e.workspace import ROOT, environment
from tests.image_workspace import link_packages
from tests.things_fixture import (
    RAW_ORDER,
    epochs_of,
    write_brainvision,
    write_eegcvpr40,
    write_kilogram,
    write_preprocessed,
    write_raw,
    write_things_eeg1,
    write_things_eeg2,
)

OCCIPITAL = [name for name in RAW_ORDER if name[0] in "OP"]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    link_packages(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def things(tmp_path_factory):
    return write_things_eeg2(tmp_path_factory.mktemp("things"))


def _ingest(root, layout, epochs="nice", settings=None, entry=None, **extra) -> EpochStore:
    """Run the stage in this process on a corpus; ``settings`` change ingest_images, ``entry`` its way of cutting."""
    document = yaml.safe_load(Path("params.yaml").read_text())
    document["image_corpora"] = {"one": {"root": str(root), "layout": layout, "epochs": epochs} | extra}
    document["ingest_images"] |= settings or {}
    document["epochs"][epochs] |= entry or {}
    Path("params.yaml").write_text(yaml.safe_dump(document))
    main(["--corpus", "one"])
    return EpochStore("data/images/one")


def _refused(capsys, *arguments, **keywords) -> str:
    with pytest.raises(SystemExit) as stop:
        _ingest(*arguments, **keywords)
    assert stop.value.code == 65
    return capsys.readouterr().err


def _expected(root, subject, sessions, names, tmax, rate, drop, over, partitions):
    """Whiten as the authors' scripts do, an epoch and a condition at a time: {(session, image): epochs}."""
    found = {}
    for session in sessions:
        folder = root / f"eeg_dataset/raw_data/{subject}/ses-{session:02d}"
        parts = {}
        for part, first in (("training", 0), ("test", 12)):
            epochs = epochs_of(folder / f"raw_eeg_{part}.npy", names, tmax, rate)
            data = epochs.get_data(verbose="ERROR")[:, :, drop:] * 1e6
            parts[part] = {first + k - 1: data[epochs.events[:, 2] == k] for k in np.unique(epochs.events[:, 2])}
        sigma = []
        for part in partitions:
            if over == "epochs":
                each = [np.mean([_cov(e.T, shrinkage="auto") for e in c], axis=0) for c in parts[part].values()]
            else:
                each = [
                    np.mean([_cov(c[:, :, t], shrinkage="auto") for t in range(c.shape[2])], axis=0)
                    for c in parts[part].values()
                ]
            sigma.append(np.mean(each, axis=0))
        root_of = scipy.linalg.fractional_matrix_power(np.mean(sigma, axis=0), -0.5)
        for data in parts.values():
            found |= {(session, image): (c.swapaxes(1, 2) @ root_of).swapaxes(1, 2) for image, c in data.items()}
    return found


@pytest.mark.parametrize(
    ("epochs", "names", "tmax", "rate", "drop", "over", "partitions"),
    [
        ("nice", CHANNELS, 1.0, 250, 50, "epochs", ["training"]),
        ("official", OCCIPITAL, 0.8, 100, 0, "time", ["test", "training"]),
    ],
)
def test_raw_epochs_are_those_of_the_authors_scripts(
    workspace, things, epochs, names, tmax, rate, drop, over, partitions
):
    store = _ingest(things, "things_eeg2_raw", epochs)
    assert store.description.channels == names
    assert len(store.description.channels) in (63, 17)
    assert store.shape[1] == (250 if epochs == "nice" else 100) == len(store.description.times)
    assert store.description.times[0] == pytest.approx(0.0 if epochs == "nice" else -0.2)
    assert store.description.unit == "whitened"
    assert store.description.corpus == "THINGS-EEG2"
    expected = _expected(things, "sub-01", [2], names, tmax, rate, drop, over, partitions)
    index = store.index[store.index["subject"] == "sub-01"]
    assert len(index) == 4 * (24 + 20)
    for split in ("train", "test"):
        items = store.epochs(split, ["sub-01"])
        found = items.__getitems__(list(range(len(items))))
        for eeg, row in zip(found["eeg"], items.table.itertuples(), strict=True):
            if row.session != 2:
                continue
            candidates = expected[row.session, row.image]
            nearest = np.abs(candidates - eeg).max(axis=(1, 2)).min()
            assert nearest < 2e-3 * np.abs(candidates).max()  # 16 bits of the largest value, and float32 in between


def test_index_images_and_checks(workspace, things):
    store = _ingest(things, "things_eeg2_raw", settings={"validation_fraction": 0.2})
    images, index = store.images, store.index
    assert len(images) == 16
    assert images["sha256"].notna().all()
    assert images["split"].value_counts().to_dict() == {"train": 10, "validation": 2, "test": 4}
    assert (images.groupby("concept")["split"].nunique() == 1).all()
    assert images.loc[12, "concept"] == "00101_gate"
    assert "test_images/00001_gate" in images.loc[12, "file"]
    assert set(index) == {"subject", "session", "image", "concept", "repetition", "split", "row"}
    one = index[(index["subject"] == "sub-01") & (index["image"] == 12)]
    assert one["repetition"].tolist() == list(range(20))
    assert one["session"].tolist() == np.repeat([1, 2, 3, 4], 5).tolist()
    assert (index["split"] == index["image"].map(images["split"])).all()
    problems = pandas.read_parquet("data/images/one/problems.parquet")
    assert problems["check"].tolist() == ["sessions"] * 2
    assert "session 4" in problems["message"][0]
    assert set(problems["severity"]) == {"warning"}
    assert len(store.description.fingerprint) == 64
    assert not os.path.exists(".work/ingest_images/shared-one")


def test_averages_are_those_of_the_trials(workspace, things):
    store = _ingest(things, "things_eeg2_raw", "official")
    single, averaged = store.epochs("test", ["sub-01"]), store.epochs("test", ["sub-01"], average=80)
    assert len(single) == 80
    assert len(averaged) == 4
    trials = single.__getitems__(list(range(80)))
    for k, item in enumerate(averaged.table.itertuples()):
        rows = single.table["image"].to_numpy() == item.image
        expected = trials["eeg"][rows].mean(0)
        assert np.abs(averaged[k]["eeg"] - expected).max() < 1e-4
        assert averaged[k]["image"] == item.image
    assert len(store.epochs("test", ["sub-01"], average=3)) == 4 * 7
    assert len(store.epochs("test", ["sub-01"], average=3, at_most=6)) == 4 * 2
    assert len(store.epochs("test")) == 80 + 60


def test_repetitions_above_the_limit_are_left_out(workspace, things):
    store = _ingest(things, "things_eeg2_raw", settings={"repetitions": {"training": 1, "test": 3}})
    counts = store.index[store.index["subject"] == "sub-01"].groupby("split").size()
    assert counts["test"] == 4 * 3 * 4
    assert counts["train"] == 12 * 4


def test_whitening_with_the_training_partition_does_not_see_the_test(workspace, things, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(things, other)
    for session in range(1, 5):
        write_raw(other / f"eeg_dataset/raw_data/sub-01/ses-{session:02d}/raw_eeg_test.npy", 4, 5, 9000 + session)
    same = {}
    for root in (things, other):
        for whitening in ("training", "training_and_test"):
            store = _ingest(root, "things_eeg2_raw", "official", entry={"whitening": whitening})
            same[root, whitening] = store.epochs("train", ["sub-01"])[0]["eeg"]
    assert np.array_equal(same[things, "training"], same[other, "training"])
    assert not np.allclose(same[things, "training_and_test"], same[other, "training_and_test"], rtol=1e-3)


@pytest.mark.parametrize("bare", [True, False])
def test_preprocessed_containers_are_taken_as_they_are(workspace, tmp_path, bare):
    root = write_preprocessed(tmp_path / "corpus", bare)
    store = _ingest(root, "things_eeg2_preprocessed", "nice" if bare else "official")
    assert store.shape == ((63, 250) if bare else (17, 100))
    assert store.description.unit == "as delivered"
    assert store.description.times[0] == pytest.approx(0.0 if bare else -0.2, abs=1e-6)
    assert store.index["session"].isna().all()
    assert len(store.epochs("test")) == 32
    path = root / "Preprocessed_data_250Hz/sub-01/preprocessed_eeg_test.npy"
    document = np.load(path, allow_pickle=True)
    data = (document if bare else document.item())["preprocessed_eeg_data"]
    items = store.epochs("test")
    for k in (0, 9, 31):
        row = items.table.loc[k]
        assert np.abs(items[k]["eeg"] - data[row["image"] - 12, row["repetition"]]).max() < 1e-3


def test_preprocessed_at_another_rate_is_refused(workspace, tmp_path, capsys):
    root = write_preprocessed(tmp_path / "corpus", bare=False)
    with pytest.raises(SystemExit):
        _ingest(root, "things_eeg2_preprocessed", "nice")
    assert "100 Hz" in capsys.readouterr().out


@pytest.mark.parametrize("milliseconds", [True, False])
def test_things_eeg1_in_seconds_and_in_milliseconds(workspace, tmp_path, milliseconds):
    root = write_things_eeg1(tmp_path / "corpus", milliseconds)
    store = _ingest(root, "things_eeg1", settings={"validation_fraction": 0.0}, entry={"whitening": "none"})
    assert len(store.epochs("train")) == 12
    assert len(store.epochs("test")) == 6
    assert store.images.loc[store.images["split"] == "test", "name"].tolist() == ["aardvark_09s", "boat_09s"]
    assert store.description.unit == "uV"
    problems = pandas.read_parquet("data/images/one/problems.parquet")
    assert "2 of 2 test concepts are trained on too" in problems.set_index("check").loc["concepts", "message"]
    item = store.epochs("test")
    assert item.table["repetition"].tolist() == [0, 0, 1, 1, 2, 2]
    assert np.abs(item[0]["eeg"]).max() > 1


def test_onsets_beyond_the_recording_in_either_unit_are_refused(workspace, tmp_path, capsys):
    root = write_things_eeg1(tmp_path / "corpus", milliseconds=False)
    path = root / "sub-01/eeg/sub-01_task-rsvp_events.tsv"
    table = pandas.read_csv(path, sep="\t")
    table.assign(onset=table["onset"] * 1e6).to_csv(path, sep="\t", index=False)
    with pytest.raises(SystemExit):
        _ingest(root, "things_eeg1", entry={"whitening": "none"})
    assert "beyond the recording of 5 s" in capsys.readouterr().out


def test_kilogram_layout(workspace, tmp_path):
    root = write_kilogram(tmp_path / "corpus")
    store = _ingest(root, "kilogram", settings={"validation_fraction": 0.25})
    assert store.images["split"].value_counts().to_dict() == {"train": 3, "test": 2, "validation": 1}
    assert store.images["file"].str.endswith(".svg").all()
    assert store.images["sha256"].notna().all()
    # 18 trials; two of a session are kept of a training tangram, and the last lies 0.3 s before the end.
    assert store.index.groupby("split").size().to_dict() == {"test": 6, "train": 6, "validation": 2}
    assert store.index["session"].unique().tolist() == [1]


def _problems() -> pandas.DataFrame:
    return pandas.read_parquet("data/images/one/problems.parquet")


def test_every_trial_is_stored_or_listed(workspace, tmp_path, capsys):
    """A late row, a row without a number, a pause and a channel that is no electrode cost themselves, and are named."""
    settings = {"repetitions": {"training": 9, "test": 9}}
    plain = _ingest(write_kilogram(tmp_path / "plain"), "kilogram", "nice", settings, {"whitening": "none"})
    expected = plain.epochs(None).__getitems__([0, 5])["eeg"]
    root = write_kilogram(tmp_path / "corpus")
    folder = root / "sub-01/ses-01/eeg"
    stem = folder / "sub-01_ses-01_task-tangram"
    events = pandas.read_csv(f"{stem}_events.tsv", sep="\t")
    assert len(events) == 19  # one of them shows no tangram
    late = pandas.DataFrame({"onset": [10.001, None], "duration": 0.2, "tangram": "page1-0"})
    table = pandas.concat([events.assign(onset=events["onset"] + 30 * (events["onset"] >= 5)), late])
    table.loc[table["onset"] == 10.001, "onset"] = 40.001
    table.to_csv(f"{stem}_events.tsv", sep="\t", index=False)
    with Path(f"{stem}_eeg.vmrk").open("a") as markers:
        markers.write("Mk2=New Segment,,5001,1,0,20000101000035000000\n")
    names = CHANNELS[:8]
    kinds = ["EEG"] * 7 + ["EOG"]
    pandas.DataFrame({"name": names, "type": kinds}).to_csv(f"{stem}_channels.tsv", sep="\t", index=False)
    store = _ingest(root, "kilogram", "nice", settings, {"whitening": "none"})
    assert store.description.channels == names[:7]
    assert len(store.index) == 18 - 3  # three run over the pause
    assert np.allclose(store.epochs(None).__getitems__([0, 5])["eeg"], expected[:, :7], atol=1e-3)
    messages = " / ".join(_problems()["message"])
    assert "are no electrodes, and are left out: F7 (EOG)" in messages
    assert "1 of 20 are no number" in messages
    assert "must lie within the recording of 40 s; 1 of 20 are left out: 40.001 (s)" in messages
    assert (
        "3 of 18 trials have no whole epoch in the recording and are left out, 3 of them as they run over a pause"
        in (messages)
    )
    out = capsys.readouterr().out
    assert all(message in out for message in _problems()["message"])


@pytest.mark.parametrize(
    ("labels", "sessions"),
    [
        (["A", "post"], ["A", "post"]),
        (["01", "01b"], ["01", "01b"]),
        (["2", "10"], [2, 10]),
        (["1", "01"], ["01", "1"]),
    ],
)
def test_sessions_of_any_name_are_sessions(workspace, tmp_path, labels, sessions):
    root = write_kilogram(tmp_path / "corpus")
    for label in labels:
        shutil.copytree(root / "sub-01/ses-01", root / f"sub-01/new-{label}")
        for path in (root / f"sub-01/new-{label}/eeg").iterdir():
            content = path.read_bytes().replace(b"ses-01", f"ses-{label}".encode())
            path.unlink()
            path.with_name(path.name.replace("ses-01", f"ses-{label}")).write_bytes(content)
    shutil.rmtree(root / "sub-01/ses-01")
    for label in labels:
        (root / f"sub-01/new-{label}").rename(root / f"sub-01/ses-{label}")
    store = _ingest(root, "kilogram")
    assert store.index["session"].unique().tolist() == sessions
    assert store.index.groupby("session").size().nunique() == 1


def test_a_session_of_things_eeg2_that_is_there_twice_is_refused_by_name(workspace, things, tmp_path):
    root = tmp_path / "corpus"
    shutil.copytree(things, root)
    shutil.copytree(root / "eeg_dataset/raw_data/sub-02/ses-02", root / "backup/sub-02/ses-02")
    store = _ingest(root, "things_eeg2_raw", settings={"max_bad_fraction": 0.5})
    assert store.index["subject"].unique().tolist() == ["sub-01"]
    problems = _problems()
    (message,) = problems.loc[problems["severity"] == "error", "message"]
    assert "session 02: must have one test part (found backup/sub-02/ses-02/raw_eeg_test.npy" in message


def test_electrodes_that_other_subjects_lack_are_named(workspace, tmp_path):
    root = write_kilogram(tmp_path / "corpus")
    for path in (root / "sub-01/ses-01/eeg").iterdir():
        other = root / "sub-02/ses-01/eeg" / path.name.replace("sub-01", "sub-02")
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_bytes(path.read_bytes().replace(b"sub-01", b"sub-02"))
    rows = pandas.DataFrame({"name": CHANNELS[:8], "type": ["EEG"] * 7 + ["MISC"]})
    rows.to_csv(root / "sub-01_channels.tsv", sep="\t", index=False)
    store = _ingest(root, "kilogram")
    assert store.description.channels == CHANNELS[:7]
    assert store.index["subject"].nunique() == 2
    problems = _problems().set_index("path")["message"]
    assert "F7: are not kept, as not all recordings have them" in problems.filter(like="sub-02").tolist()


def test_a_run_without_the_electrodes_of_the_others_costs_itself_alone(workspace, tmp_path):
    root = write_kilogram(tmp_path / "corpus")
    folder, stem = root / "sub-01/ses-01/eeg", "sub-01_ses-01_task-tangram"
    for run, names in (("01", [*CHANNELS[:7], "F7x"]), ("02", CHANNELS[:8])):  # the first is the odd one
        signals = 5 * np.random.default_rng(int(run)).standard_normal((8, 10_000))
        write_brainvision(folder / f"{stem}_run-{run}_eeg.vhdr", signals, names, 1000.0)
        shutil.copy(folder / f"{stem}_events.tsv", folder / f"{stem}_run-{run}_events.tsv")
    for path in folder.glob(f"{stem}_e*"):
        path.rename(path.with_name(path.name.replace(stem, f"{stem}_run-03")))
    header = folder / f"{stem}_run-03_eeg.vhdr"
    header.write_text(header.read_text().replace(f"{stem}_eeg", f"{stem}_run-03_eeg"))
    store = _ingest(root, "kilogram")
    assert store.description.channels == CHANNELS[:8]
    errors = _problems().query("severity == 'error'")
    assert errors["path"].tolist() == [f"sub-01/ses-01/eeg/{stem}_run-01_eeg.vhdr"]
    assert errors["message"].tolist() == ["has no F7, which other recordings have"]


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("single", [True, False])
def test_eegcvpr40_by_the_rules_of_its_loader(workspace, tmp_path, legacy, single):
    root = write_eegcvpr40(tmp_path / "corpus", legacy)
    splits, number = ("block_splits_by_image_single.pth", 1) if single else ("block_splits_by_image_all.pth", 0)
    files = {"signals": "eeg_5_95_std.pth", "splits": splits, "number": number}
    store = _ingest(
        root, "eegcvpr40", "eegcvpr40", eegcvpr40=files, settings={"repetitions": {"training": 9, "test": 9}}
    )
    assert store.shape == (128, 440)
    assert store.description.unit == "as delivered"
    assert any("in one block" in warning for warning in store.description.warnings)
    dataset = torch.load(root / "eeg_5_95_std.pth", weights_only=True)["dataset"]
    kept = {(e["subject"], e["image"]): e["eeg"] for e in dataset if 450 <= e["eeg"].shape[1] <= 600}
    assert len(store.index) == len(kept)
    wanted = {1: "test", 5: "test", 3: "validation"}
    assert all(
        row.split == wanted.get(row.image % 8 if row.image % 8 != 5 else -1, "train")
        for row in store.index.itertuples()
    )
    items = store.epochs("test")
    for k in (0, len(items) - 1):
        row = items.table.loc[k]
        expected = kept[int(row["subject"][4:]), row["image"]].numpy()[:, 20:460]
        assert np.abs(items[k]["eeg"] - expected).max() < 1e-3
    problems = pandas.read_parquet("data/images/one/problems.parquet")
    assert "not there" in problems.set_index("check").loc["images", "message"]


def test_eegcvpr40_raw_is_standardised_by_its_own_constants(workspace, tmp_path):
    root = write_eegcvpr40(tmp_path / "corpus", legacy=True, raw=True)
    files = {"signals": "eeg_signals_raw_with_mean_std.pth", "splits": "block_splits_by_image_all.pth"}
    store = _ingest(root, "eegcvpr40", "eegcvpr40", eegcvpr40=files)
    values = store.epochs("train")[0]["eeg"]
    assert 0.9 < values.std() < 1.1


def test_a_missing_and_a_repeated_image_are_found(workspace, things, tmp_path):
    root = tmp_path / "corpus"
    shutil.copytree(things, root)
    folder = root / "image_set/training_images"
    (folder / "00001_aardvark/aardvark_01b.jpg").unlink()
    shutil.copy(root / "image_set/test_images/00001_gate/gate_01b.jpg", folder / "00002_boat/boat_01b.jpg")
    shutil.copy(folder / "00003_cup/cup_01b.jpg", folder / "00003_cup/cup_99x.jpg")
    store = _ingest(root, "things_eeg2_raw", settings={"max_bad_fraction": 0.1})
    problems = pandas.read_parquet("data/images/one/problems.parquet").groupby("check")["message"].apply(" ".join)
    assert "not on disk" in problems["images"]
    assert "1 images on disk are not in the index" in problems["images"]
    assert "in training and test" in problems["repeated images"]
    assert 0 not in set(store.index["image"])
    assert 1 in set(store.index["image"])


def test_too_many_missing_images_stop_the_run(workspace, things, tmp_path, capsys):
    root = tmp_path / "corpus"
    shutil.copytree(things, root)
    shutil.rmtree(root / "image_set/training_images/00001_aardvark")
    message = _refused(capsys, root, "things_eeg2_raw")
    assert "2 of 16 images" in message
    assert "max_bad_fraction" in message


def _damage(path, **changes):
    document = np.load(path, allow_pickle=True).item()
    np.save(path, document | changes)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda d: {"raw_eeg_data": d["raw_eeg_data"] * np.append(np.full(63, 1e6), 1)[:, None]}, "must be in volts"),
        (
            lambda d: {"raw_eeg_data": d["raw_eeg_data"] * np.where(np.arange(64) == 5, 1e3, 1)[:, None]},
            "of the others' scale, within 100 times (found TP10",
        ),
        (
            lambda d: {"raw_eeg_data": np.where(d["raw_eeg_data"] == 3, 13, d["raw_eeg_data"])},
            "conditions must be 1 to 12",
        ),
        (lambda d: {"ch_types": ["eeg"] * 64}, "one stim channel"),
        (lambda d: {"ch_names": ["Q1", *d["ch_names"][1:]]}, "has no CPz, which other recordings have"),
        (lambda d: {"raw_eeg_data": np.where(np.arange(64)[:, None] == 5, np.nan, d["raw_eeg_data"])}, "finite"),
    ],
)
def test_a_bad_subject_is_named_and_left_out(workspace, things, tmp_path, change, rule):
    root = tmp_path / "corpus"
    shutil.copytree(things, root)
    path = root / "eeg_dataset/raw_data/sub-02/ses-02/raw_eeg_training.npy"
    _damage(path, **change(np.load(path, allow_pickle=True).item()))
    store = _ingest(root, "things_eeg2_raw", settings={"max_bad_fraction": 0.5})
    problems = pandas.read_parquet("data/images/one/problems.parquet")
    (message,) = problems.loc[problems["severity"] == "error", "message"]
    assert rule in message
    assert store.index["subject"].unique().tolist() == ["sub-01"]


def test_a_flat_channel_is_reported(workspace, things, tmp_path):
    root = tmp_path / "corpus"
    shutil.copytree(things, root)
    path = root / "eeg_dataset/raw_data/sub-02/ses-02/raw_eeg_training.npy"
    _damage(path, raw_eeg_data=np.load(path, allow_pickle=True).item()["raw_eeg_data"] * (np.arange(64) != 5)[:, None])
    _ingest(root, "things_eeg2_raw")
    problems = pandas.read_parquet("data/images/one/problems.parquet").set_index("check")
    assert "flat: TP10" in problems.loc["channels", "message"]
    assert "ses-02" in problems.loc["channels", "path"]


def test_concepts_in_blocks_are_a_warning_that_stays(workspace, tmp_path):
    root = write_kilogram(tmp_path / "corpus")
    path = root / "sub-01/ses-01/eeg/sub-01_ses-01_task-tangram_events.tsv"
    for k in (1, 2, 3):  # three drawings a figure, so that a block has neighbours that differ
        shutil.copy(root / "tangrams-svg/page1-0.svg", root / f"tangrams-svg/other-{k}.svg")
    store = _ingest(root, "kilogram")
    assert store.description.warnings == []
    raw = write_things_eeg1(tmp_path / "blocks", milliseconds=False)
    path = raw / "sub-01/eeg/sub-01_task-rsvp_events.tsv"
    path.rename(path.with_name("sub-01_ses-01_task-rsvp_events.tsv"))
    for ending in ("vhdr", "vmrk", "eeg"):
        file = raw / f"sub-01/eeg/sub-01_task-rsvp_eeg.{ending}"
        text = (
            file.read_bytes().replace(b"sub-01_task", b"sub-01_ses-01_task") if ending != "eeg" else file.read_bytes()
        )
        file.with_name(f"sub-01_ses-01_task-rsvp_eeg.{ending}").write_bytes(text)
        file.unlink()
    table = pandas.read_csv(path.with_name("sub-01_ses-01_task-rsvp_events.tsv"), sep="\t")
    table = table[table["isteststim"] == 0]
    table.to_csv(path.with_name("sub-01_ses-01_task-rsvp_events.tsv"), sep="\t", index=False)
    store = _ingest(raw, "things_eeg1", entry={"whitening": "none"})
    assert any("confounded with class" in warning for warning in store.description.warnings)


def test_an_interrupted_run_keeps_the_subjects_that_were_done(workspace, things, monkeypatch):
    from components.ingest_images import compute as command

    original = command.write_subject

    def stopped(blocks, *rest):
        if blocks[0].subject == "sub-02":
            raise KeyboardInterrupt
        return original(blocks, *rest)

    monkeypatch.setattr(command, "write_subject", stopped)
    with pytest.raises(SystemExit, match="130"):
        _ingest(things, "things_eeg2_raw")
    monkeypatch.setattr(
        command, "write_subject", lambda blocks, *rest: (seen.append(blocks[0].subject), original(blocks, *rest))[1]
    )
    seen = []
    store = _ingest(things, "things_eeg2_raw")
    assert seen == ["sub-02"]
    assert len(store.index) == 4 * 44 + 3 * 44


def test_a_subject_is_never_held_whole(workspace, tmp_path):
    """A container of 200 MB goes through 170 MB of memory above what the imports take."""
    root = write_preprocessed(tmp_path / "corpus", bare=True)
    path = root / "Preprocessed_data_250Hz/sub-01/preprocessed_eeg_training.npy"
    document = np.load(path, allow_pickle=True) | {"preprocessed_eeg_data": np.ones((12, 130, 63, 250))}
    np.save(path, document)
    assert path.stat().st_size > 1.9e8
    document = yaml.safe_load((workspace / "params.yaml").read_text())
    entry = {"root": str(root), "layout": "things_eeg2_preprocessed", "epochs": "nice"}
    document["image_corpora"] = {"one": entry}
    (workspace / "params.yaml").write_text(yaml.safe_dump(document))
    code = (
        "import components.ingest_images.__main__ as command\n"
        "before = int(next(l for l in open('/proc/self/status') if l.startswith('RssAnon')).split()[1])\n"
        "import threading, time\n"
        "peak = [0]\n"
        "def watch():\n"
        "    while True:\n"
        "        now = int(next(l for l in open('/proc/self/status') if l.startswith('RssAnon')).split()[1])\n"
        "        peak[0] = max(peak[0], now); time.sleep(0.01)\n"
        "threading.Thread(target=watch, daemon=True).start()\n"
        "command.main(['--corpus', 'one'])\n"
        "print('PEAK', peak[0] - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(warm=False), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    peak = int(done.stdout.rsplit("PEAK ", 1)[1])
    assert peak < 170_000, f"{peak} kB"
    assert len(EpochStore("data/images/one").index) == 12 * 130 + 32


def test_images_validate_where_training_and_test_show_the_same_concepts():
    concepts = np.repeat(["bird", "cat", "dog"], 20)
    images = pandas.DataFrame({"concept": concepts, "partition": np.tile(["training"] * 16 + ["test"] * 4, 3)})
    split = split_images(images, 0.25, seed=0)
    counts = pandas.crosstab(images["concept"], split)
    assert (counts == [4, 12, 4]).all(axis=None), "test, train, validation of each concept"
    assert ((split == "test") == (images["partition"] == "test")).all()
    # Where the test shows others, whole concepts validate.
    others = images[(images["concept"] != "bird") | (images["partition"] == "test")]
    others = others[(others["concept"] == "bird") | (others["partition"] == "training")].reset_index(drop=True)
    split = split_images(others, 0.5, seed=0)
    assert others.groupby("concept")["partition"].nunique().eq(1).all()
    assert split.groupby(others["concept"]).nunique().eq(1).all()
    assert set(split) == {"train", "validation", "test"}
