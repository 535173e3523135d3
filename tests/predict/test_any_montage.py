"""Real EEG as hospitals write it: whatever its names, references, format, rate and unit, it is read for what it has."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import edfio
import mlflow
import mne
import numpy as np
import pandas
import pytest
import scipy.io
import scipy.signal

from eegdiffusion.core.observe.tracking import log_model
from eegdiffusion.core.recordings.electrode_recording import ElectrodeRecording, open_recording
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montage import BIPOLAR, ELECTRODES
from eegdiffusion.core.signal.montages import packaged
from eegdiffusion.events.prediction import classify_windows
from eegdiffusion.events.prediction.derived_signals import DerivedSignals, derive
from eegdiffusion.events.prediction.prediction import ENDINGS, Classifier, predict
from eegdiffusion.events.prediction.recordings_folder import predict_all
from eegdiffusion.events.results.tested_subsets import TestedSubsets
from eegdiffusion.events.serving import lft_pyfunc
from tests.predict import tiny_model
from tests.recording_files import write_brainvision
from tests.surrogate_source import source_recordings

EARS = {"A1": "P9", "A2": "P10"}
"""The recorded electrodes nearest the ears, which the cap does not have."""

OLD_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"} | EARS
DOUBLE_BANANA = [entry.channel for entry in packaged()["double_banana_16"]]
WITHOUT_EARS = [name for name in BIPOLAR if "A" not in name]
RATE = 1000
SECONDS = 14


@dataclass(frozen=True)
class Model:
    classifier: Classifier
    folder: Path


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    """A tiny classifier as it is served, with scores on subsets of its channels."""
    folder = tmp_path_factory.mktemp("model")
    tested = tiny_model.write_tested(folder / "lft", {"least": 4, "whole": 0.5})
    log_model.save(lft_pyfunc, folder / "lft", folder / "served")
    loaded = mlflow.pyfunc.load_model(str(folder / "served"))
    return Model(Classifier("tiny", loaded, tiny_model.PREPROCESSING, 0.0, 16, {}, tested), folder)


@pytest.fixture(scope="module")
def volts() -> dict[str, np.ndarray]:
    """Potentials of the montage's electrodes at rest, eyes closed, against the cap's reference; 1000 Hz, volts."""
    source = source_recordings()
    rows = {
        name: source.resting["EC"][k, 60 * RATE : (60 + SECONDS) * RATE] for k, name in enumerate(source.electrodes)
    }
    signals = {
        name: rows[next(each for each in rows if each.upper() == OLD_NAMES.get(name, name))] for name in ELECTRODES
    }
    return {name: signal - signal.mean() for name, signal in signals.items()}


def _predict(path: Path, model: Model, out: Path, classifier: Classifier | None = None) -> tuple[np.ndarray, dict, str]:
    """Probabilities (windows, classes), the file beside the events, and what is printed."""
    seen: list[tuple[np.ndarray, np.ndarray]] = []
    classifier = classifier or model.classifier

    class Watched:
        metadata = classifier.model.metadata

        def predict(self, windows, **options):
            probabilities = classifier.model.predict(windows, **options)
            seen.append((windows[:, 0, 0], probabilities))
            return probabilities

    outputs = {ending: out / f"e.{ending}" for ending in ENDINGS}
    watched = Classifier("tiny", Watched(), classifier.preprocessing, 0.0, 1000, {}, classifier.tested)
    summary = predict(open_recording(path, {}), outputs, watched)
    # The first window goes alone, the others together: in the order of the recording.
    order = sorted(seen, key=lambda part: len(part[0]))
    return np.concatenate([part[1] for part in order]), json.loads(outputs["json"].read_text()), str(summary)


def _probabilities(path: Path, model: Model) -> tuple[np.ndarray, ElectrodeRecording, DerivedSignals]:
    """Probabilities (windows, classes) without the files, and what they are of."""
    recording, asked = open_recording(path, {}), model.classifier
    signals, marks = derive(recording, asked.preprocessing, None, asked.fewest)
    good = classify_windows.usable(path, signals, marks, asked.preprocessing, asked.fewest)
    probabilities = classify_windows.classify(signals, good, asked.preprocessing, asked.probabilities, 16)
    return probabilities, recording, signals


def _write_edf(
    path: Path,
    rows: dict[str, np.ndarray],
    rate: float = RATE,
    unit: str = "uV",
    between: bool = False,
    ending: str = ".edf",
) -> Path:
    """Write volts by label as EDF or BDF; ``between`` puts an ECG, an EMG, a slow SpO2 and annotations among them."""
    factor = {"uV": 1e6, "mV": 1e3, "V": 1.0}[unit]
    kind = edfio.BdfSignal if ending == ".bdf" else edfio.EdfSignal

    def make(label: str, values: np.ndarray, hz: float, dimension: str) -> edfio.EdfSignal:
        bound = float(f"{np.abs(values).max() * 1.01 + 1e-9:.3g}")
        return kind(values, hz, label=label, physical_dimension=dimension, physical_range=(-bound, bound))

    made = [make(label, values * factor, rate, unit) for label, values in rows.items()]
    if between:
        noise = np.random.default_rng(0).standard_normal(SECONDS * RATE)
        made.insert(0, make("ECG EKG", noise, rate, unit))
        made.insert(5, make("EMG Chin", 300 * noise, rate, unit))
        made.insert(9, make("SpO2", 97 + noise[:SECONDS] / 9, 1, "%"))
        made.append(make("Photic", np.zeros(SECONDS * 10), 10, ""))
        made += [make(f"POL DC{k:02}", 1e4 * noise[: 50 * SECONDS], 50, "mV") for k in range(1, 25)]
    path = path.with_suffix(ending)
    notes = [edfio.EdfAnnotation(3, None, "eyes closed")] if between else []
    (edfio.Bdf if ending == ".bdf" else edfio.Edf)(made, annotations=notes).write(path)
    return path


def _write_set(path: Path, rows: dict[str, np.ndarray]) -> Path:
    """Write microvolts as EEGLAB does."""
    data = np.stack(list(rows.values())) * 1e6
    empty = np.zeros((0, 0))
    places = np.array([(label, "EEG") for label in rows], dtype=[("labels", object), ("type", object)])
    document = {"setname": "r", "nbchan": float(len(data)), "trials": 1.0, "pnts": float(data.shape[1])}
    document |= {"srate": float(RATE), "xmin": 0.0, "xmax": data.shape[1] / RATE, "data": data.astype(np.float32)}
    document |= {
        "chanlocs": places,
        "event": empty,
        "epoch": empty,
        "icawinv": empty,
        "icasphere": empty,
        "ref": "common",
    }
    document |= {"icaweights": empty, "icaact": empty, "comments": ""}
    scipy.io.savemat(path.with_suffix(".set"), {"EEG": document})
    return path.with_suffix(".set")


def _raw(rows: dict[str, np.ndarray]) -> mne.io.RawArray:
    return mne.io.RawArray(np.stack(list(rows.values())), mne.create_info(list(rows), RATE, "eeg"), verbose="error")


def _write_fif(path: Path, rows: dict[str, np.ndarray]) -> Path:
    _raw(rows).save(path.with_name("r_raw.fif"), verbose="error", fmt="double", overwrite=True)
    return path.with_name("r_raw.fif")


def _write_vhdr(path: Path, rows: dict[str, np.ndarray]) -> Path:
    write_brainvision(path.with_suffix(".vhdr"), _raw(rows))
    return path.with_suffix(".vhdr")


def _named(volts: dict[str, np.ndarray], form: str, others: dict[str, str] | None = None) -> dict[str, np.ndarray]:
    return {form.format((others or {}).get(name, name)): signal for name, signal in volts.items()}


def _against(volts: dict[str, np.ndarray], reference: str, form: str) -> dict[str, np.ndarray]:
    return {form.format(name): signal - volts[reference] for name, signal in volts.items() if name != reference}


def _averaged(volts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    mean = np.mean(list(volts.values()), axis=0)
    return {f"{name}-Avg": signal - mean for name, signal in volts.items()}


def _bipolar(volts: dict[str, np.ndarray], names: Sequence[str]) -> dict[str, np.ndarray]:
    return {name: np.subtract(*(volts[end] for end in name.split("-"))) for name in names}


def _twice(volts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    rows = _named(volts, "EEG {}-REF")
    return rows | {"EEG C3-REF-1": volts["C3"], "EEG T7-REF": volts["T3"]}


EXACT: dict[str, Callable[[Path, dict[str, np.ndarray]], Path]] = {
    "TUH's names": lambda path, volts: _write_edf(path, _named(volts, "EEG {}-REF")),
    "linked ears": lambda path, volts: _write_edf(path, _named(volts, "{}-LE")),
    "lower case and spaces": lambda path, volts: _write_edf(
        path, {f"eeg {name.lower()} - ref": signal for name, signal in volts.items()}
    ),
    "10-10 names and mastoids": lambda path, volts: _write_edf(
        path, _named(volts, "EEG {}", {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8", "A1": "M1", "A2": "M2"})
    ),
    "others between": lambda path, volts: _write_edf(path, _named(volts, "EEG {}-REF"), between=True),
    "the same twice": lambda path, volts: _write_edf(path, _twice(volts)),
    "average reference": lambda path, volts: _write_edf(path, _averaged(volts)),
    "Cz as reference": lambda path, volts: _write_edf(path, _against(volts, "CZ", "{}-Cz")),
    "an ear as reference": lambda path, volts: _write_edf(path, _against(volts, "A2", "EEG {}-A2")),
    "millivolts": lambda path, volts: _write_edf(path, _named(volts, "POL {}"), unit="mV"),
    "volts": lambda path, volts: _write_edf(path, _named(volts, "{}"), unit="V"),
    "BDF": lambda path, volts: _write_edf(path, _named(volts, "{}"), ending=".bdf"),
    "derivations themselves": lambda path, volts: _write_edf(path, _bipolar(volts, BIPOLAR)),
    "EEGLAB": lambda path, volts: _write_set(path, _named(volts, "{}")),
    "BrainVision": lambda path, volts: _write_vhdr(path, _named(volts, "{}")),
    "FIF": lambda path, volts: _write_fif(path, _named(volts, "{}")),
}


@pytest.fixture(scope="module")
def expected(model, volts, tmp_path_factory) -> np.ndarray:
    folder = tmp_path_factory.mktemp("exact")
    probabilities, _, signals = _probabilities(_write_fif(folder / "r", _named(volts, "{}")), model)
    assert signals.channels == BIPOLAR
    assert np.ptp(probabilities, axis=0).max() > 0.05, "the model tells windows apart"
    return probabilities


@pytest.mark.parametrize("way", EXACT)
def test_one_recording_written_in_many_ways_gives_the_same_probabilities(model, volts, expected, tmp_path, way):
    probabilities, recording, signals = _probabilities(EXACT[way](tmp_path / "r", volts), model)
    assert np.abs(probabilities - expected).max() < 1e-4
    assert signals.channels == BIPOLAR
    assert signals.lacking == recording.left_out == {}


@pytest.mark.parametrize("rate", [200, 256, 500, 512])
def test_another_rate_gives_the_same_classes(model, volts, expected, tmp_path, rate):
    rows = {f"EEG {n}-REF": scipy.signal.resample_poly(x, rate, RATE) for n, x in volts.items()}
    probabilities, recording, _ = _probabilities(_write_edf(tmp_path / "r", rows, rate), model)
    assert recording.rate_hz == rate
    assert (probabilities.argmax(1) == expected.argmax(1)).mean() > 0.8
    assert np.abs(probabilities - expected).mean() < 0.05


def _asked_of_these_alone(
    model: Model, volts: dict[str, np.ndarray], names: Sequence[str], tmp_path: Path
) -> np.ndarray:
    """What the model says of windows of these channels, cut from a recording of all, by its own parameter."""
    signals, _ = derive(open_recording(_write_fif(tmp_path / "a", _named(volts, "{}")), {}), tiny_model.PREPROCESSING)
    starts = signals.pieces[0].starts
    windows = np.stack([signals.read(first, first + 1000) for first in starts]).astype(np.float32)
    kept = [BIPOLAR.index(name) for name in names]
    return model.classifier.model.predict(windows[:, kept], params={"channels": list(names)})


SUBSETS = {
    "no ears": (lambda volts: _named({n: x for n, x in volts.items() if n[0] != "A"}, "EEG {}-LE"), WITHOUT_EARS),
    "SzCORE": (lambda volts: _averaged({n: x for n, x in volts.items() if n[0] != "A"}), WITHOUT_EARS),
    # T3-C3 and T4-C4 are the ways round over FP1 and FP2.
    "double banana": (
        lambda volts: _bipolar(volts, DOUBLE_BANANA),
        [n for n in BIPOLAR if n in DOUBLE_BANANA or n in ("T3-C3", "T4-C4")],
    ),
    "below the hair": (lambda volts: _bipolar(volts, BIPOLAR[:8]), BIPOLAR[:8]),
    "contralateral ears": (
        lambda volts: {
            f"{n}-{ear}": x - volts[ear]
            for n, x in volts.items()
            if n[0] != "A" and (ear := "A1" if n[-1] in "2468Z" else "A2")
        },
        [n for n in WITHOUT_EARS if n != "C3-CZ"],
    ),
}


@pytest.mark.parametrize("case", SUBSETS)
def test_what_a_recording_has_of_the_montage_is_used_and_the_rest_is_said(model, volts, tmp_path, case):
    make, names = SUBSETS[case]
    probabilities, beside, printed = _predict(_write_fif(tmp_path / "r", make(volts)), model, tmp_path)
    assert np.abs(probabilities - _asked_of_these_alone(model, volts, names, tmp_path)).max() < 1e-4
    assert list(beside["channels"]) == names
    assert set(beside["lacking"]) == set(BIPOLAR) - set(names)
    assert f"{len(names)} of the model's 22 channels are used, without" in printed
    nearest = model.classifier.tested.nearest(names)
    assert beside["tested"]["name"] == nearest.name
    assert nearest.sentence() in printed
    assert mne.io.read_raw_edf(tmp_path / "e.edf", verbose="error").ch_names == names
    assert {"onset", "duration", "label", "probability", "channels", "focus"} == set(
        pandas.read_csv(tmp_path / "e.csv")
    )


def _flat(volts):
    return volts | {"C3": np.zeros_like(volts["C3"])}


def _noisy_scale(volts):
    return volts | {"C3": volts["C3"] * 1e4}


def _late_nan(volts):
    values = volts["C3"].copy()
    values[-2500] = np.nan
    return volts | {"C3": values}


C3 = {"T3-C3", "C3-CZ", "F3-C3", "C3-P3"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_flat, "is constant or clipped in all windows"),
        (_noisy_scale, "C3: unit: must be of the others' scale"),
        (_late_nan, "C3: signal: must be finite"),
        (lambda volts: {n: x for n, x in volts.items() if n != "C3"}, "C3: is not recorded"),
    ],
)
def test_a_bad_electrode_costs_its_derivations_alone(model, volts, tmp_path, change, why):
    probabilities, beside, printed = _predict(_write_fif(tmp_path / "r", _named(change(volts), "{}")), model, tmp_path)
    names = [name for name in BIPOLAR if name not in C3]
    assert np.abs(probabilities - _asked_of_these_alone(model, volts, names, tmp_path)).max() < 1e-4
    assert beside["lacking"].keys() == C3
    assert all(why in reason for reason in beside["lacking"].values())
    assert why in printed


def test_an_electrode_marked_bad_and_one_at_another_rate_are_named(model, volts, tmp_path):
    raw = _raw(_named(volts, "{}"))
    raw.info["bads"] = ["C3"]
    raw.save(tmp_path / "r_raw.fif", verbose="error")
    _, beside, _ = _predict(tmp_path / "r_raw.fif", model, tmp_path)
    assert beside["left_out"] == {"C3": "the file marks the channel as bad"}
    rows = _named(volts, "EEG {}-REF")
    slow = edfio.EdfSignal(volts["C3"][::2] * 1e6, RATE / 2, label="EEG C3-REF", physical_dimension="uV")
    path = _write_edf(tmp_path / "r", {label: x for label, x in rows.items() if label != "EEG C3-REF"})
    edf = edfio.read_edf(path)
    edf.append_signals(slow)
    edf.write(path)
    _, beside, _ = _predict(path, model, tmp_path)
    assert "sampling rate: must be that of the other electrodes, 1000 Hz (found 500)" in beside["left_out"]["C3"]
    assert beside["lacking"].keys() == C3


def test_a_channel_that_is_off_for_a_while_is_left_out_of_those_windows_alone(model, volts, tmp_path):
    values = volts["C3"].copy()
    values[: 6 * RATE] = 0
    _, beside, printed = _predict(_write_fif(tmp_path / "r", _named(volts | {"C3": values}, "{}")), model, tmp_path)
    assert beside["lacking"] == {}
    shares = {name: entry["share_of_windows"] for name, entry in beside["channels"].items()}
    assert {name for name, share in shares.items() if share < 1} == C3
    assert 0.5 < shares["C3-CZ"] < 0.95
    assert "some channels are used in part of the windows alone" in printed


def test_below_what_was_tested_a_recording_is_refused_by_name(model, volts, tmp_path):
    path = _write_edf(tmp_path / "r", _bipolar(volts, BIPOLAR[:3]))
    with pytest.raises(InputError) as refused:
        _predict(path, model, tmp_path)
    assert f"{path}: channels: must give 4 or more of the model's 22, as it was tested on no fewer" in str(
        refused.value
    )
    assert "A1-T3 (A1: is not recorded)" in str(refused.value)
    flat = volts | {name: np.zeros(SECONDS * RATE) for name in ELECTRODES if name not in ("FP1", "F7", "T3", "T5")}
    path = _write_fif(tmp_path / "r", _named(flat, "{}"))
    with pytest.raises(InputError, match="signal: no more than all but 4 channels may be constant or clipped"):
        _predict(path, model, tmp_path)


def test_a_model_that_was_not_trained_on_subsets_says_so_and_one_without_scores_refuses(model, volts, tmp_path):
    own = model.classifier
    plain = TestedSubsets(own.tested.channels, None, own.tested.subsets)
    path = _write_edf(tmp_path / "r", SUBSETS["no ears"][0](volts))
    classifier = Classifier("plain", own.model, own.preprocessing, 0.0, 16, {}, plain)
    _, beside, printed = _predict(path, model, tmp_path, classifier)
    assert beside["trained_on_subsets"] is False
    assert "WARNING: it was trained on all channels alone, not on subsets" in printed
    untested = Classifier("untested", own.model, own.preprocessing, 0.0, 16, {})
    with pytest.raises(InputError, match=r"must give all of the model's 22.*A1-T3 .A1: is not recorded"):
        _predict(path, model, tmp_path, untested)


def test_a_folders_list_says_what_was_left_out(model, volts, tmp_path):
    (tmp_path / "in").mkdir()
    _write_edf(tmp_path / "in/a", SUBSETS["no ears"][0](volts))
    _write_set(tmp_path / "in/b", _named(volts, "{}"))
    predict_all(tmp_path / "in", tmp_path / "out", model.classifier)
    table = pandas.read_csv(tmp_path / "out/recordings.csv").set_index("recording")
    assert table["status"].tolist() == ["done", "done"]
    assert (
        "20 of the model's 22 channels are used, without A1-T3 (A1: is not recorded)" in table.loc["a.edf", "message"]
    )
    assert (tmp_path / "out/b.json").is_file()


def test_the_served_model_takes_some_channels_by_name(model):
    loaded, draw = model.classifier.model, np.random.default_rng(0).standard_normal
    windows = (0.2 * draw((3, 22, 1000))).astype(np.float32)
    assert np.allclose(loaded.predict(windows), loaded.predict(windows, params={"channels": BIPOLAR}), atol=1e-6)
    order = [5, 1, 20, 9]
    some = loaded.predict(windows[:, order], params={"channels": [BIPOLAR[k] for k in order]})
    assert np.allclose(
        loaded.predict(windows[:, sorted(order)], params={"channels": [BIPOLAR[k] for k in sorted(order)]}),
        some,
        atol=1e-6,
    )
    assert np.abs(some - loaded.predict(windows)).max() > 1e-3
    for channels, message in (
        (BIPOLAR[:3], "must be 4 or more, as the model was tested on no fewer"),
        ([*BIPOLAR[:3], "X1-X2"], "must be of the model's channels"),
        ([*BIPOLAR[:3], BIPOLAR[0]], "each once"),
        (BIPOLAR[:5], "must have 5 channels, or channels must name"),
    ):
        count = 4 if "5 channels" in message else len(channels)
        with pytest.raises(Exception, match=message):
            loaded.predict(windows[:, :count], params={"channels": list(channels)})
    with pytest.raises(Exception, match="must have 22 channels, or channels must name"):
        loaded.predict(windows[:, :20])
