"""Places of electrodes are MNE's, without MNE."""

import mne
import numpy as np
import pytest

from eegdiffusion.core.signal.electrode_places import head_transform, montage_places, standard_places

pytestmark = pytest.mark.unit


def test_places_are_those_of_mne_to_the_bit():
    expected = mne.channels.make_standard_montage("standard_1005").get_positions()["ch_pos"]
    places = montage_places()
    assert list(places) == list(expected)
    assert all(np.array_equal(places[name], expected[name]) for name in expected)


def test_head_coordinates_are_those_of_mne():
    names = ["Fp1", "T7", "Cz", "Oz", "TP10"]
    info = mne.create_info(names, 100.0, "eeg").set_montage("standard_1005")
    rotation, origin = head_transform()
    for channel in info["chs"]:
        place = rotation @ (montage_places()[channel["ch_name"]] - origin)
        assert place == pytest.approx(channel["loc"][:3], abs=1e-7)


def test_names_in_any_case_and_with_a_reference_have_places():
    assert set(standard_places(["FP1-REF", "oz", "Cz..", "X1"])) == {"FP1-REF", "oz", "Cz.."}
