"""Ingestion and preprocessing as commands, on small corpora written for the test."""

import json
import os
import signal
import subprocess
import tempfile
import time

import numpy as np
import pandas
import pytest
import yaml
from dask.distributed import LocalCluster

from eegdiffusion.events.corpora import tuev
from eegdiffusion.events.store.window_store import Store
from tests.e2e.workspace import ROOT, environment
from tests.tuev_fixture import write_corpus, write_edf, write_rec


@pytest.fixture
def workspace(tmp_path):
    """A folder with a corpus, the settings, and the code."""
    document = yaml.safe_load((ROOT / "params.yaml").read_text())
    document["event_corpora"]["tuev"]["root"] = "corpus/edf"
    document["preprocess_events"]["workers"] = 1
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(document))
    for package in ("components", "eegdiffusion"):
        (tmp_path / package).symlink_to(ROOT / package)
    write_corpus(tmp_path / "corpus" / "edf")
    return tmp_path


def _run(workspace, stage, **extra):
    words = ["python", "-m", f"components.{stage}", "--corpus", "tuev"]
    return subprocess.run(words, cwd=workspace, env=environment() | extra, capture_output=True, text=True)


def _set(workspace, section, **values):
    document = yaml.safe_load((workspace / "params.yaml").read_text())
    document[section] |= values
    (workspace / "params.yaml").write_text(yaml.safe_dump(document))


def test_ingestion_indexes_a_sound_corpus(workspace):
    done = _run(workspace, "ingest_events")
    assert done.returncode == 0, done.stderr
    index = workspace / "data/events/tuev/index"
    recordings = pandas.read_parquet(index / "recordings.parquet").set_index("recording")
    assert len(recordings) == 8
    assert (recordings["split"] == "validation").sum() >= 1
    assert recordings.loc["eval/000/bckg_000_a_", "split"] == "test"
    events = pandas.read_parquet(index / "events.parquet")
    rec = workspace / "corpus/edf/train/aaaaaaaa/aaaaaaaa_00000001.rec"
    found = events[events["recording"] == "train/aaaaaaaa/aaaaaaaa_00000001"].sort_values("row")
    assert [tuple(row) for row in found[["channel", "start_s", "stop_s", "label"]].to_numpy()] == [
        (e.channel, e.start_s, e.stop_s, e.label) for e in tuev.read_rec(rec)
    ]
    assert json.loads((index / "corpus.json").read_text())["corpus"] == "TUEV"
    manifest = json.loads((index / "split.json").read_text())
    assert len(manifest["hash"]) == 64
    assert manifest["seed"] == 4523


def test_bad_recordings_are_listed_and_skipped_below_the_threshold(workspace):
    (workspace / "corpus/edf/train/aaaaaaaa/aaaaaaaa_00000001.rec").unlink()
    _set(workspace, "ingest_events", max_bad_fraction=0.2)
    done = _run(workspace, "ingest_events")
    assert done.returncode == 0, done.stderr
    index = workspace / "data/events/tuev/index"
    problems = pandas.read_parquet(index / "problems.parquet")
    errors = problems[problems["severity"] == "error"]
    assert errors["path"].tolist() == ["train/aaaaaaaa/aaaaaaaa_00000001.rec"]
    assert len(pandas.read_parquet(index / "recordings.parquet")) == 7
    assert "aaaaaaaa_00000001.rec" in done.stdout


def test_rows_that_cannot_be_used_are_listed_and_the_recording_kept(workspace):
    rec = workspace / "corpus/edf/train/aaaaaaab/aaaaaaab_00000000.rec"
    rec.write_bytes(b"\xef\xbb\xbf0,2.0,3.0,1\r\n0,13.5,14.5,1\r\n3,4.121,5.120,2\r\n")
    done = _run(workspace, "ingest_events")
    assert done.returncode == 0, done.stderr
    assert "left out: train/aaaaaaab/aaaaaaab_00000000.rec: line 2: must lie within the recording" in done.stdout
    index = workspace / "data/events/tuev/index"
    events = (
        pandas.read_parquet(index / "events.parquet").set_index("recording").loc["train/aaaaaaab/aaaaaaab_00000000"]
    )
    assert events["row"].tolist() == [0, 2]
    problems = pandas.read_parquet(index / "problems.parquet")
    assert problems[problems["path"].str.contains("aaaaaaab")]["severity"].tolist() == ["warning"]
    done = _run(workspace, "preprocess_events")
    assert done.returncode == 0, done.stderr[-3000:]
    windows = pandas.read_parquet(workspace / "data/events/tuev/store/windows.parquet")
    starts = windows[windows["recording"].str.contains("aaaaaaab")]["start_sample"]
    assert starts.tolist() == [0, 824 - 400]


def test_too_many_bad_recordings_stop_the_run_and_leave_the_list(workspace):
    write_edf(workspace / "corpus/edf/train/aaaaaaab/aaaaaaab_00000000.edf", rate=100)
    done = _run(workspace, "ingest_events")
    assert done.returncode == 65
    assert "max_bad_fraction" in done.stderr
    assert "1 of 8" in done.stderr
    (listed,) = workspace.glob(".work/**/problems.csv")
    assert "sampling rate" in listed.read_text()
    assert str(listed.relative_to(workspace)) in done.stderr
    assert not (workspace / "data/events/tuev/index").exists()


def test_a_root_in_the_environment_that_contradicts_the_settings_is_refused(workspace):
    done = _run(workspace, "ingest_events", TUEV_ROOT=str(workspace / "other"))
    assert done.returncode == 65
    assert "TUEV_ROOT" in done.stderr
    assert "eeg params set" in done.stderr
    assert _run(workspace, "ingest_events", TUEV_ROOT=str(workspace / "corpus" / "edf")).returncode == 0


def test_the_store_holds_the_windows_that_tuev_defines(workspace):
    assert _run(workspace, "ingest_events").returncode == 0
    done = _run(workspace, "preprocess_events")
    assert done.returncode == 0, done.stderr[-3000:]
    store = Store(workspace / "data/events/tuev/store")
    windows = store.event_windows("test")
    batch = windows.__getitems__(list(range(len(windows))))
    for k, name in enumerate(windows.table["recording"]):
        signals, labels, channels = tuev.event_windows(workspace / "corpus/edf" / f"{name}.edf")
        row = windows.table["row"][k]
        assert np.abs(batch["signal"][k] - signals[row]).max() < 1e-3
        assert batch["label"][k] == labels[row] - 1
        assert windows.table["channel"][k] == channels[row]
    samples = store.pretraining_samples("train")
    name = "train/aaaaaaaa/aaaaaaaa_00000001"
    table = pandas.read_parquet(store.path / "pretraining.parquet")
    table = table[table["split"] == "train"].reset_index(drop=True)
    first = 22 * table.index[table["recording"] == name][0]
    signals, channels, labels = tuev.pretraining_windows(workspace / "corpus/edf" / f"{name}.edf")
    found = samples.__getitems__(list(range(first, first + len(labels))))
    assert np.abs(found["signal"][:, 0] - signals).max() < 1e-3
    assert found["channel"].tolist() == channels.tolist()
    assert (found["label"] + 1).tolist() == labels.tolist()
    assert not (workspace / ".work/preprocess_events/shared-tuev").exists()


def test_preprocessing_that_is_killed_goes_on_where_it_was(workspace):
    for k in range(12):  # enough recordings that some are finished and some are not
        path = workspace / f"corpus/edf/train/aaaaaaab/extra_{k:08d}.edf"
        write_edf(path, seconds=60, seed=1000 + k)
        write_rec(path.with_suffix(".rec"), [(1, 5.0, 6.0, 1)])
    assert _run(workspace, "ingest_events").returncode == 0
    words = ["python", "-m", "components.preprocess_events", "--corpus", "tuev"]
    process = subprocess.Popen(
        words, cwd=workspace, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while len(finished := list(workspace.glob(".work/**/*.arrow"))) < 3:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = {path.name: path.stat().st_mtime_ns for path in workspace.glob(".work/**/*.arrow")}
    assert 3 <= len(finished) < 20
    done = _run(workspace, "preprocess_events")
    assert done.returncode == 0, done.stderr[-3000:]
    stored = {path.stat().st_mtime_ns for path in (workspace / "data/events/tuev/store/recordings").iterdir()}
    assert len(stored) == 20
    assert set(finished.values()) <= stored


def test_the_store_may_lie_on_another_file_system(workspace):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if os.stat(other).st_dev == os.stat(workspace).st_dev:
            pytest.skip("there is one file system only")
        (workspace / "data").symlink_to(other)
        assert _run(workspace, "ingest_events").returncode == 0
        done = _run(workspace, "preprocess_events")
        assert done.returncode == 0, done.stderr[-3000:]
        assert len(Store(workspace / "data/events/tuev/store").event_windows("train")) > 0


def test_events_that_the_index_of_another_filtering_lets_through_cost_no_recording(workspace):
    assert _run(workspace, "ingest_events").returncode == 0
    path = workspace / "data/events/tuev/index/events.parquet"
    events = pandas.read_parquet(path)
    events.loc[0, "stop_s"] += 0.5
    events.to_parquet(path, index=False)
    done = _run(workspace, "preprocess_events")
    assert done.returncode == 65
    assert "must last one second" in done.stderr
    assert len(list(workspace.glob(".work/**/*.arrow"))) == 8


def test_preprocessing_on_a_dask_cluster_gives_the_same_store(workspace):
    assert _run(workspace, "ingest_events").returncode == 0
    assert _run(workspace, "preprocess_events").returncode == 0
    path = workspace / "data/events/tuev/store"
    local = {file.relative_to(path): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        _set(workspace, "preprocess_events", scheduler=cluster.scheduler_address)
        done = _run(workspace, "preprocess_events")
    assert done.returncode == 0, done.stderr[-3000:]
    assert {file.relative_to(path): file.read_bytes() for file in path.rglob("*") if file.is_file()} == local
