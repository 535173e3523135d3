"""A registered classifier scored on a window store, in a process as its users start it."""

import subprocess
from pathlib import Path

import mlflow
import numpy as np
import pandas
import pytest
import yaml

from eegdiffusion.commands.evaluate import command
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.filtering import EEGDM
from eegdiffusion.core.signal.montages import choose_montage
from eegdiffusion.core.statistics.classification_metrics import classification_metrics
from eegdiffusion.events.corpora import tuev
from eegdiffusion.events.corpora.preprocess_recording import preprocess
from eegdiffusion.events.store import window_store
from tests.e2e.workspace import ROOT, environment
from tests.predict.tiny_model import EDF


def _write_store(path, **changes):
    """A store of one recording; two rows of three show the same window, and every class occurs."""
    (path / "recordings").mkdir(parents=True)
    preprocess(EDF, path / "recordings" / window_store.file_name("a"), filtering=EEGDM, processing="")
    starts = [200 * (k // 2) for k in range(24)]
    columns = {"recording": "a", "split": "test", "start_sample": starts, "channel": 0, "label": np.arange(24) % 6}
    windows = pandas.DataFrame(columns).assign(row=np.arange(24))
    fields = {
        "corpus": "surrogate",
        "sfreq": 200.0,
        "window": 1000,
        "montage": choose_montage("tcp22").document(),
        "classes": list(tuev.CLASSES),
        "fingerprint": "f",
        "splits": {},
        "filtering": vars(EEGDM),
    }
    pretraining = pandas.DataFrame({"recording": ["a"], "split": ["test"], "start_sample": [0], "labels": [[-1] * 22]})
    window_store.write_index(path, windows, pretraining, window_store.StoreDescription(**(fields | changes)))
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return _write_store(tmp_path_factory.mktemp("store") / "store")


def test_the_scores_are_those_of_the_models_predictions(registered, store, tmp_path):
    uri, model = registered
    words = ["python", "-m", "eegdiffusion.commands", "evaluate", "--store", str(store), "--out", "scores.csv"]
    variables = environment() | {"MLFLOW_TRACKING_URI": uri, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*words, "--batch", "5"], cwd=tmp_path, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    table = pandas.read_csv(tmp_path / "scores.csv", keep_default_na=False)
    scores = {row.metric: float(row.value) for row in table.itertuples() if not row[2]}

    mlflow.set_tracking_uri(uri)
    windows = window_store.Store(store).event_windows("test")
    probabilities = mlflow.pyfunc.load_model(model).predict(windows.__getitems__(list(range(24)))["signal"])
    expected = classification_metrics(windows.labels, probabilities)
    assert scores == pytest.approx(expected | {"windows": 24}, abs=1e-9)
    supports = table[table["metric"] == "support"]
    assert supports["class"].tolist() == list(tuev.CLASSES)
    assert supports["value"].astype(float).tolist() == [4.0] * 6
    assert "trained on surrogate data, on test windows of surrogate data" in done.stdout
    assert f"{expected['cohen_kappa']:.4g}" in done.stdout
    assert "precision" in done.stdout


@pytest.mark.parametrize(
    ("words", "changes", "message"),
    [
        (["--split", "train"], {}, "split: train has no windows"),
        (
            [],
            {"montage": choose_montage("tcp22_tuh").document()},
            "channels: must be .*'C4-CZ'.*, as models:/lft@champion was trained .found .*'CZ-C4'",
        ),
        ([], {"classes": list(tuev.CLASSES)[::-1]}, "classes: must be .*spsw"),
        (["--out", "scores.json"], {}, "--out: must end with .csv"),
    ],
)
def test_what_does_not_fit_is_refused(registered, tmp_path, monkeypatch, words, changes, message):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registered[0])
    path = _write_store(tmp_path / "store", **changes)
    with pytest.raises(InputError, match=message):
        command.main(["--store", str(path), *words], standalone_mode=False)


def test_a_task_says_corpus_and_classes(registered, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registered[0])
    monkeypatch.chdir(tmp_path)
    _write_store(tmp_path / "data/events/own/store", classes=[*list(tuev.CLASSES)[::-1], "unsure"])
    table = pandas.read_parquet("data/events/own/store/windows.parquet")
    table.loc[:4, "label"] = 6
    table.to_parquet("data/events/own/store/windows.parquet")
    task = {"corpus": "own", "latents": "base", "classes": {name: [name] for name in tuev.CLASSES}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"event_tasks": {"events": task}}, sort_keys=False))
    command.main(["--task", "events", "--out", "scores.csv"], standalone_mode=False)
    assert "5 windows of classes that are none of the task's are left out" in capsys.readouterr().out
    scores = pandas.read_csv("scores.csv", keep_default_na=False).set_index(["metric", "class"])["value"]
    windows = window_store.Store(Path("data/events/own/store")).event_windows("test")
    probabilities = mlflow.pyfunc.load_model(registered[1]).predict(windows.__getitems__(list(range(5, 24)))["signal"])
    expected = classification_metrics(5 - windows.labels[5:], probabilities)
    assert {name: float(scores[name, ""]) for name in expected} == pytest.approx(expected, abs=1e-9)
    assert float(scores["windows", ""]) == 19
    with pytest.raises(InputError, match=r"--task: must be an entry.*has events .found 'event'.; did you"):
        command.main(["--task", "event"], standalone_mode=False)
