"""Others' channels have the numbers of the backbone's: by name, by place, or none."""

import mne
import numpy as np
import pytest

from eegdiffusion.core.signal.electrode_places import head_transform, montage_places
from eegdiffusion.core.signal.montage import BIPOLAR
from eegdiffusion.core.signal.montages import choose_montage, packaged
from eegdiffusion.modules.channel_ids import UNKNOWN, channel_ids


@pytest.mark.parametrize("name", ["tcp22", "tcp22_tuh", "tcp20", "double_banana_16", "referential19"])
def test_numbers_are_those_of_the_montages_of_the_package(name):
    montage = choose_montage(name)
    assert channel_ids(montage.names, BIPOLAR) == montage.ids
    assert name in packaged()


@pytest.mark.parametrize(
    ("label", "like"),
    [
        ("EEG Fp1-F7", "FP1-F7"),
        ("f7-fp1", "FP1-F7"),
        ("T7-P7", "T3-T5"),
        ("EEG T7-REF", "T3"),
        ("Cz.", "CZ"),
        ("POL Fz", "FZ"),
        ("Oz-LE", "OZ"),
    ],
)
def test_labels_are_read_as_recorders_write_them(label, like):
    montage = choose_montage("x", {"x": [like]})
    assert channel_ids([label], BIPOLAR) == montage.ids


def test_every_electrode_of_standard_1005_has_a_number():
    assert UNKNOWN not in channel_ids(list(montage_places()), BIPOLAR)


def test_a_nameless_electrode_is_found_by_its_place_in_head_coordinates():
    names = ["Fp1", "C3", "Oz", "TP10", "FT9"]
    info = mne.create_info(names, 100.0, "eeg").set_montage("standard_1005")
    places = [channel["loc"][:3] for channel in info["chs"]]
    assert channel_ids([f"E{k}" for k in range(5)], BIPOLAR, places) == channel_ids(names, BIPOLAR)


def test_places_of_electrodes_are_taken_for_places_on_a_head():
    rotation, origin = head_transform()
    places = [rotation @ (place - origin) for place in montage_places().values()]
    assert UNKNOWN not in channel_ids([f"E{k}" for k in range(len(places))], BIPOLAR, places)


@pytest.mark.parametrize(
    "place", [None, [0.0, 0, 0], [np.nan] * 3, [-0.1] * 3, [0.5, 0.5, 1.0], [0.5, 0.5], [95.0, 0, 0]]
)
def test_what_is_no_place_on_a_head_is_none(place):
    assert channel_ids(["EOG left", "E7"], BIPOLAR, [place, place]) == [UNKNOWN, UNKNOWN]


def test_stated_numbers_come_first_and_channels_of_their_own_are_known_by_name():
    assert channel_ids(["Left ear", "OZ"], BIPOLAR, None, {"left ear": 8, "Oz": 3}) == [8, 3]
    assert channel_ids(["left ear", "c1", "Oz"], ["left ear", "right ear", "C1"]) == [0, 2, 2]
