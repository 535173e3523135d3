"""Channels of a montage follow from bipolar and referential recordings, or the recording is refused by name."""

from pathlib import Path

import numpy as np
import pytest

from eegdiffusion.core.recordings.channel_derivation import derive_channels
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.derivations import electrodes_of
from eegdiffusion.core.signal.montage import BIPOLAR, ELECTRODES, bipolar
from eegdiffusion.core.signal.montages import choose_montage

PATH = Path("r.edf")
PLACES = sorted({*ELECTRODES, "FZ", "PZ", "TP9", "TP10", "AF7", "AF8", "M1", "OZ"})
POTENTIALS = dict(zip(PLACES, np.random.default_rng(0).standard_normal((len(PLACES), 5)), strict=True))
NEW_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}


def _potential(name, shift=0.0):
    return POTENTIALS.get(name, shift)


def _expected(names):
    pairs = [electrodes_of(name) for name in names]
    return np.array([_potential(pair[0]) - _potential(pair[1]) for pair in pairs])


def _derived(labels, signals, names, **how):
    derived = derive_channels(PATH, labels, names, **how)
    return derived.derive(np.array(signals)[derived.rows])


def _referential(form, electrodes, reference):
    return [form.format(NEW_NAMES.get(name, name)) for name in electrodes], [
        POTENTIALS[name] - reference for name in electrodes
    ]


@pytest.mark.parametrize("montage", ["tcp22", "tcp22_tuh", "tcp20", "double_banana_16", "referential19"])
@pytest.mark.parametrize("form", ["EEG {}-REF", "{}", "EEG {}-A1A2", "POL {}", "{}-Cz", "{}.."])
def test_referential_recordings_are_subtracted(montage, form):
    names = choose_montage(montage).names
    needed = sorted({electrode for name in names for electrode in electrodes_of(name)})
    electrodes = [name for name in [*needed, "OZ"] if name != "CZ" or not form.endswith("Cz")]
    labels, signals = _referential(form, electrodes, _potential("CZ") if form.endswith("Cz") else 3.0)
    values = _derived(["ECG", *labels], [np.zeros(5), *signals], names)
    np.testing.assert_allclose(values, _expected(names), atol=1e-12)


@pytest.mark.parametrize("form", ["{}-{}", "EEG {}-{}", "{} - {}", "{}-{}-0", "{}_{}"])
@pytest.mark.parametrize("backwards", [False, True])
def test_bipolar_recordings_are_taken_as_they_are(form, backwards):
    names = choose_montage("double_banana_16").names
    pairs = [electrodes_of(name)[:: -1 if backwards else 1] for name in reversed(names)]
    labels = [form.format(*(NEW_NAMES.get(part, part) for part in pair)) for pair in pairs]
    values = _derived(labels, [POTENTIALS[a] - POTENTIALS[b] for a, b in pairs], names)
    assert (values == _expected(names)).all()


def test_subtraction_is_to_the_bit_that_of_tuev():
    signals = np.random.default_rng(1).standard_normal((19, 50))
    derived = derive_channels(PATH, [f"EEG {name}-REF" for name in ELECTRODES], choose_montage("tcp22").names)
    assert derived.recorded == ELECTRODES
    assert derived.rows == list(range(19))
    assert (derived.derive(signals) == bipolar(signals, ELECTRODES)).all()


def test_a_chain_of_derivations_connects_electrodes_and_each_half_has_its_ear():
    chain = [("FP1", "F7"), ("F7", "T3"), ("C3", "T3")]
    signals = [POTENTIALS[a] - POTENTIALS[b] for a, b in chain]
    values = _derived(["Fp1-F7", "F7-T7", "C3-T7"], signals, ["FP1-T3", "C3-FP1"])
    np.testing.assert_allclose(values, _expected(["FP1-T3", "C3-FP1"]), atol=1e-12)
    sides = {"FP1": "A1", "F7": "A1", "T3": "A1", "FP2": "A2", "F8": "A2"}
    signals = [POTENTIALS[name] - POTENTIALS[ear] for name, ear in sides.items()]
    labels = [f"{name}-{ear}" for name, ear in sides.items()]
    names = ["FP1-F7", "A1-T3", "FP2-F8"]
    np.testing.assert_allclose(_derived(labels, signals, names), _expected(names), atol=1e-12)
    with pytest.raises(InputError, match=r"must have one reference.*FP1 against A1, FP2 against A2"):
        derive_channels(PATH, labels, ["FP1-FP2"])


def test_a_stated_reference_is_heeded():
    labels, names = ["C3", "C4", "A1", "A2"], ["C3-C4"]
    signals = [POTENTIALS["C3"] - POTENTIALS["A2"], POTENTIALS["C4"] - POTENTIALS["A1"], *[POTENTIALS["A1"] - 1] * 2]
    signals[3] = POTENTIALS["A2"] - 1
    values = _derived(labels, signals, names, references={"C3": "A2", "C4": "A1"})
    np.testing.assert_allclose(values, _expected(names), atol=1e-12)
    with pytest.raises(InputError, match=r"must have one reference.*C3 against OZ, C4 against none that is named"):
        derive_channels(PATH, labels, names, references={"C3": "Oz"})


def test_electrodes_and_own_labels_are_taken_whatever_their_reference():
    labels = ["EEG TP9-Fpz", "AF7", "AF8-REF", "Right AUX", "E128"]
    signals = np.random.default_rng(2).standard_normal((5, 4))
    names = ["AF8", "TP9", "right aux", "AF7", "E128"]
    assert (_derived(labels, signals, names) == signals[[2, 0, 3, 1, 4]]).all()


def test_mastoids_stand_for_ears_and_users_name_electrodes():
    labels, signals = _referential("{}", [name for name in ELECTRODES if name not in ("A1", "CZ")], 1.0)
    labels, signals = [*labels, "M1-REF", "vertex"], [*signals, POTENTIALS["M1"] - 1, POTENTIALS["CZ"] - 1]
    labels = [label if label == "vertex" else f"EEG {label.removesuffix('-REF')}-REF" for label in labels]
    values = _derived(labels, signals, BIPOLAR, rename={"Vertex": "CZ"})
    expected = _expected(["M1-T3" if name == "A1-T3" else name for name in BIPOLAR])
    np.testing.assert_allclose(values, expected, atol=1e-12)


def test_channels_that_are_there_twice_are_taken_if_they_are_the_same():
    labels, names = ["F8-T8", "T8-P8", "P8-O2", "T8-P8"], ["T4-T6", "F8-T4"]
    with pytest.raises(InputError, match=r"T4-T6 must occur once .found 2 times"):
        derive_channels(PATH, labels, names)
    with pytest.raises(InputError, match="found 2 times, with other samples"):
        derive_channels(PATH, labels, names, same=lambda positions: False)
    asked = []
    derived = derive_channels(PATH, labels, names, same=lambda positions: asked.append(list(positions)) or True)
    assert asked == [[1, 3]]
    assert [derived.recorded[terms[0].row] for terms in derived.sums] == ["T4-T6", "F8-T4"]
    assert derived.rows == [0, 1]
    assert derive_channels(PATH, [*labels[:3], None], names).rows == [0, 1]


REFUSED = {
    "no ears": (
        [f"EEG {n}-LE" for n in ELECTRODES if n not in ("A1", "A2")],
        BIPOLAR,
        "needs A1, A2, for A1-T3, A2-T4",
    ),
    "bipolar without the ears": (["FP1-F7", "F7-T7"], ["FP1-F7", "A1-T3"], "needs A1, for A1-T3"),
    "half against another": (
        [f"EEG {n}-{'LE' if n == 'C3' else 'REF'}" for n in ELECTRODES],
        ["FP1-F7", "C3-CZ"],
        "one reference, which cancels in a derivation .found C3 against LE, CZ against REF",
    ),
    "named and not": (["FP1", "F7-REF"], ["FP1-F7"], "FP1 against none that is named, F7 against REF"),
    "numbered cap": ([*(f"A{k}" for k in range(1, 33)), "T3"], ["A1-T3"], "needs A1, for A1-T3"),
    "numbered cap's electrode": ([f"C{k}" for k in range(1, 33)], ["C3"], "needs C3, for C3"),
    "an electrode in derivations alone": (["FP1-F7", "FP1-F3"], ["FP1"], "FP1: must be recorded once"),
    "an electrode twice": (["C3-LE", "C3-REF"], ["C3"], "C3: must be recorded once, .*found C3-LE, C3-REF"),
    "two of one label": (["EEG C3-REF", "EEG C3-REF", "CZ-REF"], ["C3-CZ"], "C3 must occur once .found 2 times"),
    "no label": (["ECG", "SpO2"], ["left"], "needs LEFT, for left .found ECG, SpO2"),
    "nothing": ([], ["C3-CZ"], "needs C3, CZ, for C3-CZ .found none"),
}


@pytest.mark.parametrize(("labels", "names", "message"), REFUSED.values(), ids=REFUSED)
def test_what_a_montage_lacks_is_named(labels, names, message):
    with pytest.raises(InputError, match=f"r.edf: channels: .*{message}"):
        derive_channels(PATH, labels, names)
