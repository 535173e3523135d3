"""Electrodes are found by the labels of many vendors, and nothing else is taken for one."""

from pathlib import Path

import pytest

from eegdiffusion.core.recordings.electrode_labels import choose_electrodes, read_label
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montage import ELECTRODES
from tests.recording_files import NAMES

FORMS = ["{}", "{}.", "{}..", "POL {}", "EEG {}", "EEG {}-A1A2", "{}-Ref:1", "EEG {}-ref", "EEG {} - Ref", "EEG{}-LE"]
FORMS += ["{}-A1+A2", "{}-(A1+A2)/2", "EEG {}-M1M2", "{}-CPz", "{} REF", "{}_Ref", "EEG_{}", "{}-AVG", "{}-Org", "E {}"]
FORMS += ["{}-REF-0", " {} ", "EEG {}-AA", "{}:Ref", "EEG {}-A2A1", "{}.Ref", "{} (Ref)", "EEG {}-", "{}_"]
PATH = Path("r.edf")


@pytest.mark.parametrize("form", FORMS)
def test_labels_of_vendors_are_read(form):
    labels = ["ECG", *(form.format(name) for name in reversed(NAMES)), "SpO2", "DC1", "Photic"]
    chosen = choose_electrodes(PATH, labels, {})
    assert [labels[k] for k in chosen] == [form.format(name) for name in NAMES]


@pytest.mark.parametrize(
    ("others", "rename"),
    [
        ({"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}, {}),
        ({"A1": "M1", "A2": "M2"}, {}),
        ({"A1": "X7-REF", "CZ": "vertex"}, {"X7": "A1", "VERTEX": "CZ"}),
        ({"FP1": "\uff26\uff50\uff11"}, {}),  # wide letters
    ],
)
def test_other_names_of_the_same_places(others, rename):
    labels = [others.get(name, name) for name in ELECTRODES]
    assert choose_electrodes(PATH, labels, rename) == list(range(19))
    ears = [name if name in ("A1", "A2") else f"EEG {name}-REF" for name in ELECTRODES]
    assert choose_electrodes(PATH, ears, {"A1": "A1", "A2": "A2"}) == list(range(19))
    assert choose_electrodes(PATH, ["M1", "Fpz", "C1", "C5", *ELECTRODES], {}) == list(range(4, 23))


BIPOLAR = ["Fp1-F7", "F7-T7", "T7-P7", "P7-O1", "FZ-CZ", "CZ-PZ"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([f"EEG {n}-{'A1A2' if k % 2 else 'AVG'}" for k, n in enumerate(NAMES)], "must have one reference"),
        ([f"{n}-LE" if n == "Cz" else n for n in NAMES], "must have one reference"),
        ([f"{n}-{'CPz' if n == 'A2' else 'Ref'}" for n in NAMES], "must have one reference"),
        ([f"{n}-A{1 + k % 2}" for k, n in enumerate(NAMES)], "the montage needs A1, A2, C3"),
        ([f"{n}-Cz" for n in NAMES], "the montage needs A1"),
        (["X7-LE" if n == "A1" else f"EEG {n}-REF" for n in ELECTRODES], "must have one reference"),
        (BIPOLAR, "the montage needs A1"),
        ([*NAMES, *(f"A{k}" for k in range(3, 33))], "the montage needs A1, A2,"),
        ([*NAMES, *(f"C{k}" for k in range(7, 33))], "the montage needs C3, C4,"),
        ([*NAMES, "EEG Cz-LE"], "CZ must occur once"),
        ([*NAMES, "T7"], "T3 must occur once"),
    ],
)
def test_what_is_no_common_reference_is_refused(labels, message):
    with pytest.raises(InputError, match=message):
        choose_electrodes(PATH, labels, {"X7": "A1"})


@pytest.mark.parametrize(
    "label", ["", "EEG", "ECG", "EKG1", "SpO2", "Resp", "O1O2", "Fp1-F7", "HR", "DC01", "A1+A2", "X"]
)
def test_other_channels_name_no_electrode(label):
    read = read_label(label, {})
    assert read is None or read.electrode not in ELECTRODES
