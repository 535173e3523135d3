"""Events follow the clock: each piece of a recording with pauses is classified for itself, in all three files."""

from datetime import UTC, datetime
from types import SimpleNamespace

import mne
import numpy as np
import pandas
import pytest

from eegdiffusion.core.recordings.electrode_recording import open_recording
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.filtering import filtered
from eegdiffusion.core.signal.montage import ELECTRODES, bipolar
from eegdiffusion.core.signal.units import UNITS_PER_VOLT
from eegdiffusion.events.corpora import tuev
from eegdiffusion.events.prediction import prediction
from tests.predict.tiny_model import PREPROCESSING
from tests.recording_files import NAMES, raw_array, write_brainvision, write_stamped
from tests.tuev_fixture import signals, write_edf

START = datetime(2026, 1, 1, 10, tzinfo=UTC)


def _first_class(windows):
    probabilities = np.full((len(windows), len(tuev.CLASSES)), 0.02)
    probabilities[:, 0] = 0.9
    return probabilities


def _predict(path, out):
    """Predict with a model that says the first class of every window; return the table, the EDF+ file, the summary."""
    model = SimpleNamespace(predict=_first_class, metadata=SimpleNamespace(model_uuid="stand-in"))
    classifier = prediction.Classifier("stand-in", model, PREPROCESSING, 0.0, 4, {})
    outputs = {ending: out / f"e.{ending}" for ending in prediction.ENDINGS}
    summary = prediction.predict(open_recording(path, {}), outputs, classifier)
    assert outputs["png"].read_bytes()[:4] == b"\x89PNG"
    return pandas.read_csv(outputs["csv"]), mne.io.read_raw_edf(outputs["edf"], verbose="error"), str(summary)


def _derived(data):
    return bipolar(filtered(data * 1e-6, 250.0, PREPROCESSING.filtering), ELECTRODES) * UNITS_PER_VOLT * 1e-4


def test_each_piece_is_filtered_and_classified_for_itself_on_the_clock(tmp_path):
    data = signals(ELECTRODES, 24, 250)
    write_stamped(tmp_path / "r.edf", [0.25 + k + 30 * (k >= 14) for k in range(24)], "EDF+C", data)
    table, raw, summary = _predict(tmp_path / "r.edf", tmp_path)
    assert table["label"].tolist() == ["spsw", "unusable", "spsw"]
    assert table["onset"].tolist() == [2, 14, 46]
    assert table["duration"].tolist() == [10, 30, 6]
    assert "1 pause, at which the recording was split" in summary
    # Both files that have a clock say the same, and the samples stand where they were recorded.
    assert raw.annotations.onset.tolist() == table["onset"].tolist()
    assert raw.annotations.description.tolist() == table["label"].tolist()
    assert raw.n_times == 54 * 200
    scale = np.abs(raw.get_data()).max(axis=1, keepdims=True) / 10000  # rounding of the file that is read, and of this
    for first, part in ((0, data[:, :3500]), (44 * 200, data[:, 3500:])):
        expected = _derived(part.copy())
        piece_volts = raw.get_data(start=first, stop=first + expected.shape[1])
        assert (np.abs(piece_volts - expected) < scale).all()
    assert (np.abs(raw.get_data(start=14 * 200, stop=44 * 200)) < scale).all()


def test_pieces_without_a_window_have_no_prediction_and_are_said(tmp_path):
    write_stamped(tmp_path / "r.edf", [*range(3), *range(20, 34)])
    table, _, _ = _predict(tmp_path / "r.edf", tmp_path)
    assert table["label"].tolist() == ["unusable", "unusable", "spsw"]
    assert table["onset"].tolist() == [0, 3, 22]
    write_stamped(tmp_path / "s.edf", [10 * (k // 2) + k % 2 for k in range(20)])
    with pytest.raises(InputError, match=r"duration: must be 5 s or more \(found 2 s at most, in 10 pieces\)"):
        _predict(tmp_path / "s.edf", tmp_path)
    write_stamped(tmp_path / "t.edf", [*range(40, 47), *range(0, 7)])
    with pytest.raises(InputError, match="clock: a piece must begin after"):
        _predict(tmp_path / "t.edf", tmp_path)


def test_a_pause_of_brainvision_and_a_joint_of_fif(tmp_path):
    raw = raw_array(data=signals(NAMES, 20, 250) * 1e-6)
    marks = ["Mk1=New Segment,,1,1,0,20260101100000500000", "Mk2=New Segment,,2501,1,0,20260101100130500000"]
    write_brainvision(tmp_path / "r.vhdr", raw, marks)
    table, written, _ = _predict(tmp_path / "r.vhdr", tmp_path)
    assert table[["onset", "label"]].to_numpy().tolist() == [[2, "spsw"], [10, "unusable"], [92, "spsw"]]
    assert written.info["meas_date"] == START
    assert written.first_samp == 0
    raw.set_meas_date(START)
    mne.concatenate_raws([raw.copy().crop(4), raw.copy()], verbose="error").save(tmp_path / "j_raw.fif")
    table, written, _ = _predict(tmp_path / "j_raw.fif", tmp_path)
    assert table[["onset", "duration"]].to_numpy().tolist() == [[2, 12], [18, 16]]
    assert written.info["meas_date"] == START.replace(second=4)


@pytest.mark.parametrize(("year", "kept"), [(1924, False), (1985, True), (2084, True), (2085, False)])
def test_a_date_that_edf_cannot_hold_is_left_out_with_a_word(tmp_path, year, kept):
    write_brainvision(tmp_path / "r.vhdr", raw_array(), [f"Mk1=New Segment,,1,1,0,{year}0101100000000000"])
    _, written, summary = _predict(tmp_path / "r.vhdr", tmp_path)
    assert (f"the date {year}-01-01 is left out" in summary) is not kept
    if kept:
        assert written.info["meas_date"] == START.replace(year=year)


def test_an_artefact_of_volts_is_written_in_a_unit_that_holds_it(tmp_path):
    data = signals(NAMES, 60, 250.0)
    data[3, 2000:2010] += 2e8
    raw_array(data=data * 1e-6).save(tmp_path / "r_raw.fif", verbose="error")
    _, written, _ = _predict(tmp_path / "r_raw.fif", tmp_path)
    expected = _derived(data.copy())
    written_volts = written.get_data()
    assert np.abs(written_volts - expected[:, : written_volts.shape[1]]).max() < np.abs(expected).max() / 30000


@pytest.mark.parametrize("unit", ["nV", "mV", "V", "microvolts", "\u03bcV"])
def test_units_of_brainvision_and_edf_are_heeded(tmp_path, unit):
    data = signals(ELECTRODES, 14, 250)
    factor = {"nV": 1e9, "mV": 1e3, "V": 1.0}.get(unit, 1e6)
    write_brainvision(tmp_path / "r.vhdr", raw_array(data=data * 1e-6), unit=unit, scale=factor)
    read = open_recording(tmp_path / "r.vhdr", {}).read(range(19), 0, 3500)
    assert np.abs(read * 1e6 - data).max() < 1e-3
    if unit.isascii() and len(unit) <= 8:
        write_edf(tmp_path / "r.edf", names=ELECTRODES, unit=unit, data=data * factor * 1e-6)
        assert np.abs(open_recording(tmp_path / "r.edf", {}).read(range(19), 0, 3500) * 1e6 - data).max() < 0.01


@pytest.mark.parametrize("factor", [1000, 1e-3])
def test_an_electrode_of_another_scale_is_refused_by_name(tmp_path, factor):
    data = signals(NAMES, 14, 250)
    data[ELECTRODES.index("A2")] *= factor
    raw_array(data=data * 1e-6).save(tmp_path / "r_raw.fif", verbose="error")
    with pytest.raises(InputError, match=r"r_raw.fif: channels: .*A2-T4 \(A2: unit: must be of the others' scale"):
        _predict(tmp_path / "r_raw.fif", tmp_path)
