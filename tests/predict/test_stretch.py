"""A stretch of a recording is read as a recording of its own, and its times stay those of the whole."""

import json
from datetime import timedelta

import mne
import numpy as np
import pandas
import pytest
from click.testing import CliRunner

from eegdiffusion.commands.predict import command
from eegdiffusion.core.recordings.electrode_recording import open_recording
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montage import ELECTRODES
from eegdiffusion.events.prediction import prediction
from eegdiffusion.events.prediction.stretch import Stretch, cut_out, seconds_of
from tests.predict import stand_in
from tests.recording_files import write_stamped
from tests.tuev_fixture import signals, write_edf


def _predict(path, out, stretch):
    out.mkdir()
    outputs = {ending: out / f"e.{ending}" for ending in prediction.ENDINGS}
    summary = prediction.predict(open_recording(path, {}), outputs, stand_in.classifier(), stretch)
    raw = mne.io.read_raw_edf(outputs["edf"], preload=True, verbose="error")
    return pandas.read_csv(outputs["csv"]), raw, json.loads(outputs["json"].read_text()), summary


def test_a_stretch_is_what_a_file_of_it_would_be(tmp_path):
    data = signals(ELECTRODES, 40, 250)
    part = data[:, 12 * 250 : 30 * 250]
    for each in (part, data):  # both files have one scale
        each[:, 0], each[:, -1] = -200, 200
    write_stamped(tmp_path / "whole.edf", range(40), "EDF+C", data)
    write_stamped(tmp_path / "part.edf", range(18), "EDF+C", part)
    table, raw, document, summary = _predict(tmp_path / "whole.edf", tmp_path / "a", Stretch(12, 30))
    expected, alone, *_ = _predict(tmp_path / "part.edf", tmp_path / "b", Stretch())
    assert table["onset"].tolist() == [14.0]
    assert summary.events["onset"].tolist() == [14.0]
    assert table["duration"].tolist() == expected["duration"].tolist() == [14.0]
    assert raw.annotations.onset.tolist() == alone.annotations.onset.tolist() == [2.0]
    assert np.array_equal(raw.get_data(), alone.get_data())
    assert (document["start_s"], document["duration_s"]) == (12, 18)
    start = open_recording(tmp_path / "whole.edf", {}).start
    assert raw.info["meas_date"] == (start or raw.info["meas_date"] - timedelta(seconds=12)) + timedelta(seconds=12)


def test_pieces_are_cut_on_the_clock(tmp_path):
    stamps = [k + 30 * (k >= 14) for k in range(28)]  # a pause from 14 to 44 s
    write_stamped(tmp_path / "r.edf", stamps, "EDF+C", signals(ELECTRODES, 28, 250))
    recording = open_recording(tmp_path / "r.edf", {})
    cut = cut_out(recording, Stretch(4, 50.5))
    assert [(piece.first_sample, piece.stop_sample, piece.onset_s) for piece in cut.pieces] == [
        (1000, 3500, 0.0),
        (3500, 3500 + 1625, 40.0),
    ]
    late = cut_out(recording, Stretch(20))
    assert [(piece.first_sample, piece.onset_s) for piece in late.pieces] == [(3500, 24.0)]
    table, raw, _, summary = _predict(tmp_path / "r.edf", tmp_path / "out", Stretch(4))
    assert table[table["label"] == "spsw"]["onset"].tolist() == [6, 46]
    assert summary.pauses == 1
    assert raw.annotations.onset.tolist()[0] == 2


@pytest.mark.parametrize("stretch", [Stretch(15, 40), Stretch(100), Stretch(0, 0)])
def test_a_stretch_without_a_sample_is_refused(tmp_path, stretch):
    stamps = [k + 30 * (k >= 14) for k in range(28)]
    write_stamped(tmp_path / "r.edf", stamps, "EDF+C", signals(ELECTRODES, 28, 250))
    with pytest.raises(InputError, match=r"r.edf: --start, --stop: must hold some of the recording's 58 s"):
        cut_out(open_recording(tmp_path / "r.edf", {}), stretch)


def test_a_stretch_shorter_than_a_window_is_refused(tmp_path):
    write_edf(tmp_path / "r.edf", seconds=20)
    with pytest.raises(InputError, match=r"duration: must be 5 s or more \(found 4 s"):
        _predict(tmp_path / "r.edf", tmp_path / "out", Stretch(3, 7))


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("1:30", 90), ("2:00:00.5", 7200.5), ("0", 0)])
def test_times_are_seconds_or_hours_minutes_seconds(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1:60", "1:2:3:4", "nan", "soon", "1:-2"])
def test_other_times_are_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 (float's and its own)
        seconds_of(text)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--start", "soon"], "'soon' is no time"),
        (["--start", "10", "--stop", "5"], "--stop: must be later than --start"),
        (["--stop", "5"], "must be of one recording"),
    ],
)
def test_the_command_refuses_at_once(tmp_path, words, message):
    recording = tmp_path if words == ["--stop", "5"] else tmp_path / "r.edf"
    if recording != tmp_path:
        write_edf(recording)
    done = CliRunner().invoke(command, [str(recording), "--out", str(tmp_path / "e.csv"), *words])
    assert message in f"{done.output} {done.exception}"
    assert not (tmp_path / "e.csv").exists()
