"""New, changed, broken and arriving recordings: what the watch on the corpus says of them."""

import json
import os
from pathlib import Path

import mlflow
import pytest

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.filtering import EEGDM
from eegdiffusion.events.corpora.event_corpus import EventCorpus, Ingestion, channel_recipe
from eegdiffusion.operations.orchestration.corpus_state import load
from eegdiffusion.operations.orchestration.corpus_watch import confirm, look
from eegdiffusion.operations.orchestration.watched_events import WatchedEvents
from tests.dags.airflow_home import ROOT
from tests.tuev_fixture import EVENTS, REFERENTIAL, signals, write_corpus, write_edf, write_rec

NEW = Path("train/aaaaaaaz/aaaaaaaz_00000000.edf")
FAR = [Path(f"train/aaaaaaa{k}/aaaaaaa{k}_00000000.edf") for k in "uvwxy"]
KNOWN = Path("train/aaaaaaab/aaaaaaab_00000000.edf")


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    return watched(write_corpus(tmp_path / "edf")), tmp_path / "state.json"


def watched(root: Path) -> WatchedEvents:
    entry = EventCorpus(root=str(root), layout="tuev")
    return WatchedEvents("tuev", entry, channel_recipe(entry, {}), EEGDM, Ingestion())


def arrive(corpus, name=NEW, amplitude_uv=20.0):
    root = corpus.root
    data = signals(REFERENTIAL, 14, 250.0, seed=sum(name.as_posix().encode()), amplitude_uv=amplitude_uv)
    write_edf(root / name, data=data)
    write_rec((root / name).with_suffix(".rec"), EVENTS)


def announce(corpus, state, drift_limit=None):
    """What the DAG does: look, and confirm what was announced."""
    status = look(corpus, state, 0, drift_limit)
    if status == 0:
        confirm(state)
    return status


def test_only_new_content_counts(corpus, capsys):
    tuev, state = corpus
    assert announce(tuev, state) == 0
    assert announce(tuev, state) == 99
    os.utime(tuev.root / KNOWN)
    assert announce(tuev, state) == 99, "another time, the same content"
    arrive(tuev)
    assert announce(tuev, state) == 0
    assert "2 files are new" in capsys.readouterr().out
    (tuev.root / NEW).unlink()
    (tuev.root / NEW).with_suffix(".rec").unlink()
    assert announce(tuev, state) == 0
    assert announce(tuev, state) == 99


def test_what_was_announced_and_never_recorded_is_announced_again(corpus, capsys):
    tuev, state = corpus
    announce(tuev, state)
    arrive(tuev)
    assert look(tuev, state, 0) == 0  # and the worker dies
    assert look(tuev, state, 0) == 0
    assert "announcing it again" in capsys.readouterr().out
    confirm(state)
    confirm(state)
    assert look(tuev, state, 0) == 99


def test_recordings_within_the_drift_limit_wait_for_those_beyond_it(corpus, capsys):
    tuev, state = corpus
    assert announce(tuev, state, 0.8) == 0, "there is nothing yet to drift from"
    arrive(tuev)
    assert announce(tuev, state, 0.8) == 99
    assert "nothing follows" in capsys.readouterr().out
    assert look(tuev, state, 0, 0.8) == 99
    assert NEW.as_posix() in load(state).valid
    assert NEW.as_posix() not in load(state).announced
    for name in FAR:
        arrive(tuev, name, amplitude_uv=60.0)
    assert look(tuev, state, 0, 0.8) == 0
    printed = capsys.readouterr().out
    assert "6 new recordings from 8" in printed, "the one that waited counts"
    (run,) = mlflow.search_runs(experiment_names=["eeg_ingest"], max_results=1, output_format="list")
    assert run.data.params["new_recordings"] == "6"
    assert run.data.metrics["largest_score"] > 0.8
    found = mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/drift.json")
    assert "delta power" in [row[0] for row in found["data"] if row[-1]]
    assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/recordings.txt").splitlines() == [
        *map(str, FAR),
        str(NEW),
    ]
    assert look(tuev, state, 0, 0.8) == 0, "not yet confirmed"
    confirm(state)
    assert load(state).announced == load(state).valid
    assert look(tuev, state, 0, 0.8) == 99


def test_a_state_of_before_confirmations_is_read(corpus):
    tuev, state = corpus
    announce(tuev, state)
    document = json.loads(state.read_text())
    announced = document.pop("announced")
    del document["pending"]
    state.write_text(json.dumps(document))
    assert look(tuev, state, 0) == 99
    state.write_text(json.dumps(document | {"valid": {}, "told": announced}))
    assert load(state).announced == announced


def test_unchanged_files_are_not_read_again(corpus):
    tuev, state = corpus
    announce(tuev, state)
    before = (tuev.root / KNOWN).stat()
    (tuev.root / KNOWN).write_bytes(b"x" * before.st_size)
    os.utime(tuev.root / KNOWN, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert look(tuev, state, 0) == 99


def test_files_that_still_arrive_are_left_for_later(corpus):
    tuev, state = corpus
    assert look(tuev, state, 3600) == 99
    assert look(tuev, state, 0) == 0


def test_a_broken_recording_is_refused_until_it_is_mended(corpus, capsys):
    tuev, state = corpus
    announce(tuev, state)
    arrive(tuev)
    whole = (tuev.root / NEW).read_bytes()
    (tuev.root / NEW).write_bytes(whole[: len(whole) // 2])
    for _ in range(2):
        with pytest.raises(InputError, match="1 of 9 recordings are unusable, 1 of them new"):
            look(tuev, state, 0)
        assert NEW.as_posix() in capsys.readouterr().out
    (tuev.root / NEW).write_bytes(whole)
    assert announce(tuev, state) == 0
    assert NEW.as_posix() in load(state).valid


def test_a_corpus_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(InputError, match=r"event_corpora\.tuev\.root: "):
        look(watched(tmp_path / "none"), tmp_path / "state.json", 0)
