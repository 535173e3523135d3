"""New, changed, broken and arriving recordings: what the watch on the corpus says of them."""

import json
import os
from pathlib import Path

import mlflow
import pytest
import yaml

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.operations.orchestration import corpus_watch
from eegdiffusion.operations.orchestration.corpus_watch import confirm, load, look
from tests.dags.airflow_home import ROOT
from tests.tuev_fixture import EVENTS, REFERENTIAL, signals, write_corpus, write_edf, write_rec

NEW = Path("train/aaaaaaaz/aaaaaaaz_00000000.edf")
FAR = [Path(f"train/aaaaaaa{k}/aaaaaaa{k}_00000000.edf") for k in "uvwxy"]
KNOWN = Path("train/aaaaaaab/aaaaaaab_00000000.edf")


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    return write_corpus(tmp_path / "edf"), tmp_path / "state.json"


def arrive(root, name=NEW, amplitude_uv=20.0):
    data = signals(REFERENTIAL, 14, 250.0, seed=sum(name.as_posix().encode()), amplitude_uv=amplitude_uv)
    write_edf(root / name, data=data)
    write_rec((root / name).with_suffix(".rec"), EVENTS)


def announce(root, state, drift_limit=None):
    """What the DAG does: look, and confirm what was announced."""
    status = look(root, state, 0, drift_limit)
    if status == 0:
        confirm(state)
    return status


def test_only_new_content_counts(corpus, capsys):
    root, state = corpus
    assert announce(root, state) == 0
    assert announce(root, state) == 99
    os.utime(root / KNOWN)
    assert announce(root, state) == 99, "another time, the same content"
    arrive(root)
    assert announce(root, state) == 0
    assert "2 files are new" in capsys.readouterr().out
    (root / NEW).unlink()
    (root / NEW).with_suffix(".rec").unlink()
    assert announce(root, state) == 0
    assert announce(root, state) == 99


def test_what_was_announced_and_never_recorded_is_announced_again(corpus, capsys):
    root, state = corpus
    announce(root, state)
    arrive(root)
    assert look(root, state, 0) == 0  # and the worker dies
    assert look(root, state, 0) == 0
    assert "announcing it again" in capsys.readouterr().out
    confirm(state)
    confirm(state)
    assert look(root, state, 0) == 99


def test_recordings_within_the_drift_limit_wait_for_those_beyond_it(corpus, capsys):
    root, state = corpus
    assert announce(root, state, 0.8) == 0, "there is nothing yet to drift from"
    arrive(root)
    assert announce(root, state, 0.8) == 99
    assert "nothing follows" in capsys.readouterr().out
    assert look(root, state, 0, 0.8) == 99
    assert NEW.as_posix() in load(state).valid
    assert NEW.as_posix() not in load(state).announced
    for name in FAR:
        arrive(root, name, amplitude_uv=60.0)
    assert look(root, state, 0, 0.8) == 0
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
    assert look(root, state, 0, 0.8) == 0, "not yet confirmed"
    confirm(state)
    assert load(state).announced == load(state).valid
    assert look(root, state, 0, 0.8) == 99


def test_a_state_of_before_confirmations_is_read(corpus):
    root, state = corpus
    announce(root, state)
    document = json.loads(state.read_text())
    announced = document.pop("announced")
    del document["pending"]
    state.write_text(json.dumps(document))
    assert look(root, state, 0) == 99
    state.write_text(json.dumps(document | {"valid": {}, "told": announced}))
    assert load(state).announced == announced


def test_unchanged_files_are_not_read_again(corpus):
    root, state = corpus
    announce(root, state)
    before = (root / KNOWN).stat()
    (root / KNOWN).write_bytes(b"x" * before.st_size)
    os.utime(root / KNOWN, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert look(root, state, 0) == 99


def test_files_that_still_arrive_are_left_for_later(corpus):
    root, state = corpus
    assert look(root, state, 3600) == 99
    assert look(root, state, 0) == 0


def test_a_broken_recording_is_refused_until_it_is_mended(corpus, capsys):
    root, state = corpus
    announce(root, state)
    arrive(root)
    whole = (root / NEW).read_bytes()
    (root / NEW).write_bytes(whole[: len(whole) // 2])
    for _ in range(2):
        with pytest.raises(InputError, match="1 of 9 recordings are unusable, 1 of them new"):
            look(root, state, 0)
        assert NEW.as_posix() in capsys.readouterr().out
    (root / NEW).write_bytes(whole)
    assert announce(root, state) == 0
    assert NEW.as_posix() in load(state).valid


def test_a_corpus_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(InputError, match="event_corpora: root: "):
        look(tmp_path / "none", tmp_path / "state.json", 0)


def test_corpora_of_other_layouts_are_named_and_left_out(corpus, tmp_path, monkeypatch, capsys):
    root, state = corpus
    document = yaml.safe_load(Path("params.yaml").read_text())
    document["event_corpora"] = {
        "tuev": {"root": str(root), "layout": "tuev"},
        "own": {"root": "none", "layout": "bids"},
    }
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(document))
    monkeypatch.setattr("sys.argv", ["corpus_watch", "--state", str(state), "--settle-seconds", "0"])
    assert corpus_watch.main() == 0
    printed = capsys.readouterr().out
    assert "none: not watched, as layout bids is not" in printed
    assert f"{root}: " in printed
