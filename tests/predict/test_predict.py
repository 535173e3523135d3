"""Events of a recording, from file to files; the same numbers as the training pipeline's windows."""

import subprocess
import sys
from dataclasses import replace

import mlflow
import mne
import numpy as np
import pandas
import pytest
import requests
from mne._fiff.constants import FIFF

from eegdiffusion.core.recordings.electrode_recording import open_recording
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.filtering import EEGDM
from eegdiffusion.core.signal.montage import ELECTRODES
from eegdiffusion.events.corpora import tuev
from eegdiffusion.events.corpora.preprocess_recording import preprocess
from eegdiffusion.events.prediction import classify_windows, electrode_files, event_list
from eegdiffusion.events.prediction.derived_signals import derive
from eegdiffusion.events.prediction.prediction import Classifier
from eegdiffusion.events.prediction.recordings_folder import predict_all
from eegdiffusion.events.store import window_store
from tests.e2e.workspace import ROOT, environment
from tests.mlflow_server import free_port, stop, wait_for
from tests.predict.tiny_model import EDF, PREPROCESSING
from tests.recording_files import NAMES, raw_array, write_brainvision
from tests.tuev_fixture import signals, write_edf


def _predict(registered, *words, cwd):
    uri, model = registered
    command = ["python", "-m", "eegdiffusion.commands", "predict", *map(str, words), "--model", model]
    place = {"MLFLOW_TRACKING_URI": uri, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, env=environment() | place, capture_output=True, text=True)


def _prepared(path):
    """The derivations of a recording, and which of its windows are usable."""
    stored, faults = derive(open_recording(path, {}), PREPROCESSING)
    return stored, classify_windows.usable(path, stored, faults, PREPROCESSING)


def _derived(path):
    stored, _ = derive(open_recording(path, {}), PREPROCESSING)
    return stored.read(0, stored.samples)


@pytest.fixture(scope="module")
def loaded(registered):
    mlflow.set_tracking_uri(registered[0])
    return mlflow.pyfunc.load_model(registered[1])


@pytest.fixture(scope="module")
def predicted(registered, tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")  # no params.yaml: the model carries all settings
    done = _predict(registered, EDF, "--out", "events.csv", cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, done.stdout


def test_predictions_are_those_of_the_pipelines_windows(loaded, tmp_path):
    preprocess(EDF, tmp_path / "r.arrow", filtering=EEGDM, processing="")
    mapped = window_store.MappedRecording(tmp_path / "r.arrow")
    stored, good = _prepared(EDF)
    assert good.all()
    predict = Classifier("a model", loaded, PREPROCESSING, 0.0, 4, {}).probabilities
    probabilities = classify_windows.classify(stored, good, PREPROCESSING, predict, 4)
    derived = stored.read(0, stored.samples)
    assert np.array_equal(derived, tuev.derive(EDF))
    assert len(probabilities) == mapped.samples // 200 - 4
    assert np.abs(probabilities.sum(1) - 1).max() < 1e-5
    assert np.ptp(probabilities, axis=0).max() > 0.01, "the model tells windows apart"
    for k in range(len(probabilities)):
        window = np.empty((1, 22, 1000), np.float32)
        mapped.window(200 * k, window[0])
        assert np.abs(loaded.predict(window) - probabilities[k]).max() < 2e-3, k  # the store has 16 bits
    # Event windows, as fine-tuning and testing read them, at their own places.
    expected, *_ = tuev.event_windows(EDF)
    starts = [tuev.window_start(e, derived.shape[1], 200.0) for e in tuev.read_rec(EDF.with_suffix(".rec"))]
    inside = [k for k, start in enumerate(starts) if 0 <= start <= derived.shape[1] - 1000]
    ours = np.stack([derived[:, starts[k] : starts[k] + 1000] for k in inside]).astype(np.float32)
    assert len(inside) > 5
    assert np.array_equal(ours, expected[inside])


def test_table_annotations_and_figure_agree(predicted):
    folder, printed = predicted
    table = pandas.read_csv(folder / "events.csv")
    assert list(table.columns) == ["onset", "duration", "label", "probability", "channels", "focus"]
    assert table["label"].nunique() > 1, "of 20 seconds some are background"
    assert table["duration"].sum() < 20, "of 20 seconds some are background"
    assert set(table["label"]) <= set(tuev.CLASSES) - {"bckg"}
    assert table["probability"].between(1 / 6, 1).all()
    raw = mne.io.read_raw_edf(folder / "events.edf", preload=True, verbose="error")
    assert raw.annotations.onset.tolist() == pytest.approx(table["onset"].tolist())
    assert raw.annotations.duration.tolist() == pytest.approx(table["duration"].tolist())
    assert raw.annotations.description.tolist() == table["label"].tolist()
    assert np.abs(raw.get_data() * 1e4 - tuev.derive(EDF)[:, : raw.n_times]).max() < 1e-3
    assert (folder / "events.png").read_bytes()[:4] == b"\x89PNG"
    assert "trained on surrogate data" in printed
    assert "times faster than real time" in printed


def test_neighbours_of_one_class_are_one_event_and_background_is_none():
    classes = ["a", "b", "bckg"]
    rows = [[0.6, 0.4, 0], [0.8, 0.2, 0], [0, 0.3, 0.7], [0, 0.9, 0.1], [0.5, 0.4, 0.1], [np.nan] * 3, [0.9, 0.1, 0]]
    found = event_list.merge_windows(np.array(rows), classes, "bckg", 1, 2, 0.55)
    assert found["label"].tolist() == ["a", "b", "unusable", "a"]
    assert found["onset"].tolist() == [2, 5, 7, 8]
    assert found["duration"].tolist() == [2, 1, 1, 1]
    assert found["probability"].tolist() == pytest.approx([0.7, 0.9, np.nan, 0.9], nan_ok=True)


def test_fif_and_brainvision_give_what_edf_gives(tmp_path):
    data = signals(NAMES, 14, 250.0)
    write_edf(tmp_path / "r.edf", names=ELECTRODES, data=data)
    renamed = [{"T3": "T7", "T6": "P8"}.get(name, name) for name in NAMES]
    raw = raw_array(renamed, data * 1e-6)
    raw.save(tmp_path / "r_raw.fif", verbose="error")
    write_brainvision(tmp_path / "r.vhdr", raw)
    expected = _derived(tmp_path / "r.edf")
    for name in ("r_raw.fif", "r.vhdr"):
        derived_signals = _derived(tmp_path / name)
        assert np.abs(derived_signals - expected).max() < 2e-3, name


@pytest.mark.parametrize("at_once", [1 << 18, 1000])
def test_a_recording_is_read_once_from_its_start(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(electrode_files, "_AT_ONCE", at_once)
    write_brainvision(tmp_path / "r.vhdr", raw_array(), ["Mk1=New Segment,,1,1,0", "Mk2=New Segment,,2001,1,0"])
    recording = open_recording(tmp_path / "r.vhdr", {})
    expected = recording.read(range(19), 2000, 3500)
    assert recording.labels == NAMES
    parts = []

    def read(rows, first, stop):
        parts.append((len(rows), first, stop))
        return recording.read(rows, first, stop)

    files = electrode_files.ElectrodeFiles(replace(recording, read=read), range(19), tmp_path)
    assert [rows for rows, _, _ in parts] == [19] * len(parts)
    assert [sample for _, first, stop in parts for sample in range(first, stop)] == list(range(3500))
    for row in range(19):
        assert np.array_equal(files.reader(row, recording.pieces[1])(0, 1500), expected[row])
        assert np.array_equal(files.reader(row, recording.pieces[1])(700, 800), expected[row, 700:800])


def test_fif_in_upper_case(tmp_path):
    raw_array().save(tmp_path / "r_raw.fif.gz", verbose="error")
    (tmp_path / "r_raw.fif.gz").rename(tmp_path / "R.FIF.GZ")
    assert open_recording(tmp_path / "R.FIF.GZ", {}).recorded_s == 14


def _edf(**options):
    return lambda path: write_edf(path, **{"names": ELECTRODES} | options)


def _broken(path, change):
    write_edf(path, names=ELECTRODES)
    path.write_bytes(change(path.read_bytes()))


def _channel(change):
    def make(path):
        data = signals(NAMES, 14, 250.0)
        change(data)
        _edf(data=data)(path)

    return make


def _fif(names=NAMES, change=lambda raw: None):
    def make(path):
        raw = raw_array(names)
        change(raw)
        raw.save(path, verbose="error")

    return make


def _make_bipolar(raw):
    raw.info["chs"][CZ]["coil_type"] = FIFF.FIFFV_COIL_EEG_BIPOLAR  # as mne.set_bipolar_reference does


CZ = ELECTRODES.index("CZ")
REFUSED = {
    "missing": ("r.edf", _edf(names=[n for n in ELECTRODES if n != "CZ"]), "C3-CZ, C4-CZ (CZ: is not recorded)"),
    "bipolar": ("r_raw.fif", _fif([f"{n}-Cz" for n in NAMES if n != "A1"]), "A1-T3 (A1: is not recorded)"),
    "twice": ("r.edf", _edf(extra=("EEG CZ-REF",)), "CZ: must occur once (found 2 times"),
    "references": ("r_raw.fif", _fif([f"{n}-LE" if n == "Cz" else n for n in NAMES]), "must have one reference"),
    "unit": ("r.edf", _edf(unit="degC"), "physical dimension: must be one of uV"),
    "scale": ("r.edf", _edf(unit="V"), "unit: the electrodes' median standard deviation must lie"),
    "short": ("r.edf", _edf(seconds=4), "duration: must be 5 s or more (found 4 s)"),
    "slow": ("r.edf", _edf(rate=128), "sampling rate: must exceed 150 Hz"),
    "flat": ("r.edf", _channel(lambda data: data[CZ].fill(0)), "CZ constant in 100%"),
    "clipped": ("r.edf", _channel(lambda data: data[CZ].clip(-9, 9, out=data[CZ])), "CZ clipped in 100%"),
    "cut off": ("r.edf", lambda path: _broken(path, lambda b: b[: len(b) // 2]), "file size: must be"),
    "no edf": ("r.edf", lambda path: path.write_text("hello"), "header: must begin with"),
    "no fif": ("r_raw.fif", lambda path: path.write_text("hello"), "file: must begin with the tag of a FIF file"),
    "gaps": ("r.edf", lambda path: _broken(path, lambda b: b[:192] + b"EDF+D".ljust(44) + b[236:]), "without gaps"),
    "bad": ("r_raw.fif", _fif(change=lambda raw: raw.info["bads"].append("Cz")), "(CZ: the file marks"),
    "infinite": ("r_raw.fif", _fif(change=lambda raw: raw._data[CZ].fill(np.nan)), "CZ: signal: must be finite"),
    "kind": ("r_raw.fif", _fif(change=lambda raw: raw.set_channel_types({"Cz": "misc"})), "(CZ: unit: must be volts"),
    "bipolar in fif": ("r_raw.fif", _fif(change=_make_bipolar), "(CZ: must be referential"),
    "format": ("r.txt", lambda path: path.write_text(""), "file: must be one of .edf"),
    "nothing": ("r.edf", lambda path: None, "there is no such file"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", REFUSED)
def test_a_recording_that_cannot_be_used_is_refused_by_name_and_rule(case, tmp_path):
    name, make, message = REFUSED[case]
    make(tmp_path / name)

    with pytest.raises(InputError) as refused:
        _prepared(tmp_path / name)
    assert str(tmp_path / name) in str(refused.value)
    assert message in str(refused.value)


def test_a_stretch_with_a_constant_channel_is_left_out_and_said(tmp_path):
    data = signals(NAMES, 40, 250.0)
    data[CZ, : 250 * 6] = 0
    write_edf(tmp_path / "r.edf", names=ELECTRODES, data=data)
    _, good = _prepared(tmp_path / "r.edf")
    assert not good[:2].any()
    assert good[6:].all()
    probabilities = np.where(good[:, :1], [[0.0, 1.0]], np.nan)
    assert event_list.merge_windows(probabilities, ["a", "bckg"], "bckg", 1, 2)["label"].tolist() == ["unusable"]


def test_the_command_refuses_with_status_65_and_writes_nothing(registered, tmp_path):
    write_edf(tmp_path / "short.edf", seconds=4)
    done = _predict(registered, "short.edf", "--out", "events.csv", cwd=tmp_path)
    assert done.returncode == 65
    assert "predict: short.edf: duration: must be 5 s" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("events*"))
    done = _predict(registered, "short.edf", "--out", "short.csv", cwd=tmp_path)
    assert done.returncode == 65
    assert "would be overwritten" in done.stderr


def test_the_served_model_gives_the_same_probabilities_over_http(registered, loaded, tmp_path):
    port = free_port()
    words = ["-m", "mlflow", "models", "serve", "--model-uri", registered[1], "--env-manager", "local"]
    words += ["--host", "127.0.0.1", "--port", str(port)]
    place = {"MLFLOW_TRACKING_URI": registered[0]}
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, *words],
            env=environment(warm=False) | place,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/ping", server)
        derived_windows = _derived(EDF)[None, :, :1000].astype(np.float32)
        url = f"http://127.0.0.1:{port}/invocations"
        answer = requests.post(url, json={"inputs": derived_windows.tolist()}, timeout=60)
        assert answer.ok, answer.text
        assert np.abs(np.array(answer.json()["predictions"]) - loaded.predict(derived_windows)).max() < 1e-5
        refused = requests.post(url, json={"inputs": derived_windows[:, :21].tolist()}, timeout=60)
        assert refused.status_code == 400
        assert "22" in refused.text
    finally:
        stop(server)


def test_a_folder_is_done_recording_by_recording_and_goes_on_where_it_stopped(registered, loaded, tmp_path, capsys):
    source, out = tmp_path / "recordings", tmp_path / "results"
    (source / "ward").mkdir(parents=True)
    (source / "ward/b.edf").write_bytes(EDF.read_bytes())
    write_edf(source / "a.edf", seed=3)
    raw_array(NAMES).save(source / "a_raw.fif", verbose="error")
    raw = raw_array(NAMES, signals(NAMES, 14, 250.0, seed=4) * 1e-6)
    raw.save(source / "a.fif", verbose="error")  # differs from a.edf in the ending alone
    write_edf(source / "short.edf", seconds=4)
    done = _predict(registered, source, "--out", out, cwd=tmp_path)
    assert done.returncode == 65, done.stderr[-3000:]
    assert "1 of 5 recordings were refused" in done.stderr, done.stderr[-3000:]
    assert "short.edf: duration: must be 5 s" in done.stdout
    table = pandas.read_csv(out / "recordings.csv").set_index("recording")
    assert table["status"].to_dict() == dict.fromkeys(("a.edf", "a.fif", "a_raw.fif", "ward/b.edf"), "done") | {
        "short.edf": "refused"
    }
    assert "must be 5 s" in table.loc["short.edf", "message"]
    found = pandas.read_csv(out / "ward/b.csv")
    counts = found["label"].value_counts().to_dict()
    assert counts == {label: table.loc["ward/b.edf", label] for label in counts}
    assert {path.name for path in out.glob("a*.png")} == {"a.edf.png", "a.fif.png", "a_raw.png"}

    # Again, by the same model in this process: nothing but what is gone or has changed.
    (out / "ward/b.csv").unlink()
    write_edf(source / "short.edf", seconds=14)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.csv")}
    classifier = Classifier("a model", loaded, PREPROCESSING, 0.0, 16, {})
    capsys.readouterr()
    predict_all(source, out, classifier)
    printed = capsys.readouterr().out
    assert "5 of 5 recordings are done" in printed
    assert "a.edf" not in printed
    assert pandas.read_csv(out / "ward/b.csv").equals(found)
    again = {path for path in before if path.stat().st_mtime_ns != before[path]}
    assert again == {out / "recordings.csv"}
    assert (out / "short.csv").is_file()

    with pytest.raises(InputError, match="must be a folder outside"):
        predict_all(source, source / "results", classifier)
