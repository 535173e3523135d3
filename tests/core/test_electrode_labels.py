"""Electrodes are found by the labels of many vendors, and nothing else is taken for one."""

from pathlib import Path

import numpy as np
import pytest

from eegdiffusion.core.recordings.channel_derivation import DerivedChannels, derive_channels, derive_some_channels
from eegdiffusion.core.recordings.electrode_labels import read_channels, read_label
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montage import BIPOLAR, ELECTRODES
from tests.recording_files import NAMES

FORMS = ["{}", "{}.", "{}..", "POL {}", "EEG {}", "EEG {}-A1A2", "{}-Ref:1", "EEG {}-ref", "EEG {} - Ref", "EEG{}-LE"]
FORMS += ["{}-A1+A2", "{}-(A1+A2)/2", "EEG {}-M1M2", "{}-CPz", "{} REF", "{}_Ref", "EEG_{}", "{}-AVG", "{}-Org", "E {}"]
FORMS += ["{}-REF-0", " {} ", "EEG {}-AA", "{}:Ref", "EEG {}-A2A1", "{}.Ref", "{} (Ref)", "EEG {}-", "{}_"]
PATH = Path("r.edf")


EXPECTED = [
    [(ELECTRODES.index(name), sign) for name, sign in zip(pair.split("-"), (1, -1), strict=True)] for pair in BIPOLAR
]


def _pairs(derived: DerivedChannels) -> list[list[tuple[int, int]]]:
    """The positions and signs of the recorded channels that each derivation is the sum of, anode first."""
    return [
        sorted(((derived.rows[row], sign) for row, sign in terms), key=lambda term: -term[1]) for terms in derived.sums
    ]


@pytest.mark.parametrize("form", FORMS)
def test_labels_of_vendors_are_read(form):
    labels = ["ECG", *(form.format(name) for name in reversed(NAMES)), "SpO2", "DC1", "Photic"]
    derived = derive_channels(PATH, labels, BIPOLAR)
    assert [labels[k] for k in derived.rows] == [form.format(name) for name in NAMES]
    assert derived.recorded == ELECTRODES


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
    assert _pairs(derive_channels(PATH, labels, BIPOLAR, rename=rename)) == EXPECTED
    ears = [name if name in ("A1", "A2") else f"EEG {name}-REF" for name in ELECTRODES]
    assert _pairs(derive_channels(PATH, ears, BIPOLAR, rename={"A1": "A1", "A2": "A2"})) == EXPECTED
    shifted = derive_channels(PATH, ["M1", "Fpz", "C1", "C5", *ELECTRODES], BIPOLAR)
    assert shifted.rows == list(range(4, 23))


DOUBLE_BANANA = ["Fp1-F7", "F7-T7", "T7-P7", "P7-O1", "FZ-CZ", "CZ-PZ"]
EARS = {"A1-T3", "A2-T4"}
CENTRE = {"T3-C3", "C3-CZ", "C4-CZ", "T4-C4", "F3-C3", "C3-P3", "F4-C4", "C4-P4"}


@pytest.mark.parametrize(
    ("labels", "lacking", "why"),
    [
        ([f"EEG {n}-{'A1A2' if n == 'Cz' else 'AVG'}" for n in NAMES], {"C3-CZ", "C4-CZ"}, "CZ against A1A2"),
        ([f"{n}-LE" if n == "Cz" else n for n in NAMES], {"C3-CZ", "C4-CZ"}, "must have one reference"),
        ([f"{n}-{'CPz' if n == 'A2' else 'Ref'}" for n in NAMES], {"A2-T4"}, "A2 against CPZ"),
        ([f"{n}-A{1 + (n[-1] in '13579')}" for n in NAMES if n[0] != "A"], {*EARS, "C3-CZ"}, "must have one reference"),
        ([f"{n}-Cz" for n in NAMES if n != "Cz"], set(), ""),
        ([f"{n}-A1" for n in NAMES if n != "A1"], set(), ""),
        ([f"{n}-LE" for n in NAMES if n[0] != "A"], EARS, "A1: is not recorded"),
        (["X7-LE" if n == "A1" else f"EEG {n}-REF" for n in ELECTRODES], {"A1-T3"}, "must have one reference"),
        (DOUBLE_BANANA, set(BIPOLAR) - {"FP1-F7", "F7-T3", "T3-T5", "T5-O1"}, ""),
        ([*NAMES, *(f"A{k}" for k in range(3, 33))], EARS, "is not recorded"),
        ([*NAMES, *(f"C{k}" for k in range(7, 33))], CENTRE, "is not recorded"),
        ([*NAMES, "EEG Cz-LE"], set(), ""),
        ([*NAMES, "T7"], {"F7-T3", "T3-T5", "A1-T3", "T3-C3"}, "T3 must occur once"),
    ],
)
def test_what_does_not_follow_costs_its_derivations_alone_and_is_said(labels, lacking, why):
    derived, said = derive_some_channels(PATH, labels, BIPOLAR, rename={"X7": "A1"})
    assert said.keys() == lacking
    assert derived.names == [name for name in BIPOLAR if name not in lacking]
    assert why in (next(iter(said.values())) if said else "")
    if lacking:
        with pytest.raises(InputError, match=r"^r.edf: channels: "):
            derive_channels(PATH, labels, BIPOLAR, rename={"X7": "A1"})
    # The sums give the differences of potentials, whatever the references.
    draw = np.random.default_rng(0).standard_normal
    potentials: dict[str, np.ndarray] = {}
    channels = read_channels(labels, {"X7": "A1"}, {})
    recorded = np.zeros((len(labels), 8))
    for row, channel in enumerate(channels):
        if channel:
            ends = [potentials.setdefault(end, draw(8)) for end in (channel.electrode, channel.against)]
            recorded[row] = ends[0] - ends[1]
    expected = [np.subtract(*(potentials[end] for end in name.split("-"))) for name in derived.names]
    assert np.allclose(derived.derive(recorded[derived.rows]), expected)


@pytest.mark.parametrize(
    "label", ["", "EEG", "ECG", "EKG1", "SpO2", "Resp", "O1O2", "Fp1-F7", "HR", "DC01", "A1+A2", "X"]
)
def test_other_channels_name_no_electrode(label):
    read = read_label(label, {})
    assert read is None or read.electrode not in ELECTRODES
