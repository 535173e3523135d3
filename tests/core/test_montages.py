"""Montages are data: those of the package, those of users, and the number that each channel has."""

import pytest

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.signal.derivations import distances_mm
from eegdiffusion.core.signal.montage import BIPOLAR
from eegdiffusion.core.signal.montages import Montages, choose_montage, ids_sentence, read_montage

MUSE = {"muse": ["TP9", "AF7", "AF8", "TP10"]}


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("tcp22", list(range(22))),
        ("tcp22_tuh", list(range(22))),
        ("tcp20", [*range(8), *range(9, 13), *range(14, 22)]),
        ("double_banana_16", [*range(8), *range(14, 22)]),
        ("referential19", [*range(8), *range(9, 13), *range(14, 22), 10, 10]),
    ],
)
def test_montages_of_the_package(name, ids):
    montage = choose_montage(name)
    assert montage.ids == ids
    assert montage.id_names == BIPOLAR
    same = [channel.name for channel in montage.channels if channel.basis == "same"]
    assert same == [BIPOLAR[channel.id] for channel in montage.channels if channel.basis == "same"]
    assert read_montage(montage.document()) == montage


def test_tcp_is_that_of_eegdm_and_tuhs_differs_in_three_signs():
    assert choose_montage("tcp22").names == BIPOLAR
    reversed_ones = [channel.name for channel in choose_montage("tcp22_tuh").channels if channel.basis == "reversed"]
    assert reversed_ones == ["CZ-C4", "C4-T4", "T4-A2"]


def test_electrodes_of_no_derivation_get_the_nearest_ones_number_or_their_own():
    nearest = choose_montage("muse", MUSE)
    assert [BIPOLAR[k] for k in nearest.ids] == ["A1-T3", "FP1-F7", "FP2-F8", "A2-T4"]
    assert [channel.distance_mm for channel in nearest.channels] == pytest.approx([27, 8, 7, 28], abs=1)
    assert "TP9 as A1-T3 (27 mm away)" in ids_sentence(nearest)
    own = choose_montage("muse", MUSE, "own")
    assert (own.ids, own.id_names) == ([0, 1, 2, 3], MUSE["muse"])
    assert "numbers of their own" in ids_sentence(own)


def test_the_nearest_derivation_is_that_whose_middle_is_nearest():
    for k, name in enumerate(BIPOLAR):
        distances = distances_mm(name.split("-"))
        assert distances.argmin() == k
        assert distances[k] == 0
    assert distances_mm(["X9"]) is None


def test_users_montages_name_channels_as_they_like():
    own = validate(
        {"mine": ["t7-p7", {"channel": "Oz", "id": 7}, "C4-Cz", {"channel": "left ear", "id": 8}]}, Montages, ""
    )
    montage = choose_montage("mine", own)
    assert montage.names == ["t7-p7", "Oz", "C4-Cz", "left ear"]
    assert montage.ids == [2, 7, 11, 8]
    assert [channel.basis for channel in montage.channels] == ["same", "stated", "same", "stated"]
    assert montage.channels[3].distance_mm is None
    assert choose_montage("mine", own, "own").ids == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("name", "own", "message"),
    [
        ("tcp21", {}, "montages: must have 'tcp21' .found tcp22, .*did you mean"),
        ("tcp22", {"tcp22": ["C3-CZ"]}, "montages.tcp22: must have another name"),
        ("mine", {"mine": ["Fp1-F7", "FP1-F7"]}, "montages.mine: FP1-F7 must occur once"),
        ("mine", {"mine": ["T7", "T3"]}, "montages.mine: T3 must occur once"),
        ("mine", {"mine": ["Ch1"]}, "montages.mine: Ch1: id: must be stated"),
        ("mine", {"mine": [{"channel": "C3-CZ", "id": 22}]}, "montages.mine: C3-CZ: id: must be from 0 to 21"),
    ],
)
def test_montages_that_cannot_be_numbered_are_refused(name, own, message):
    with pytest.raises(InputError, match=message):
        choose_montage(name, validate(own, Montages, "params.yaml: montages"))


@pytest.mark.parametrize(
    "channels", [[], [3], [{"id": 3}], [{"channel": "C3", "number": 3}], [{"channel": "C3", "id": -1}]]
)
def test_a_montage_is_a_list_of_channels(channels):
    with pytest.raises(InputError, match=r"montages.mine"):
        validate({"mine": channels}, Montages, "params.yaml: montages")
