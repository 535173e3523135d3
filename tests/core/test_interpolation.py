"""Interpolation of bad electrodes, as a matrix."""

import mne
import numpy as np
import pytest

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.interpolation import interpolation_matrix

NAMES = ["Fp1", "Fp2", "F3", "Fz", "F4", "C3", "Cz", "C4", "P3", "Pz", "P4", "O1", "O2"]


def test_it_is_what_mne_interpolates():
    signals = np.random.default_rng(0).standard_normal((len(NAMES), 50))
    info = mne.create_info(NAMES, 100.0, "eeg").set_montage("standard_1005")
    evoked = mne.EvokedArray(signals, info)
    evoked.info["bads"] = ["Cz", "O2"]
    expected = evoked.copy().interpolate_bads(verbose="error").data
    matrix = interpolation_matrix(NAMES, ["Cz", "O2"], {}, "a")
    good = [k for k, name in enumerate(NAMES) if name not in ("Cz", "O2")]
    assert np.array_equal(matrix[good], np.eye(len(NAMES))[good])
    assert (matrix[:, [6, 12]] == 0).sum() == 2 * len(NAMES)
    interpolated = matrix @ signals
    for k in (6, 12):
        assert np.corrcoef(interpolated[k], expected[k])[0, 1] > 0.99  # the montage's own origin differs slightly


def test_a_smooth_field_is_restored():
    place = mne.channels.make_standard_montage("standard_1005").get_positions()["ch_pos"]
    field = np.array([place[name][1] for name in NAMES])  # rises from back to front
    matrix = interpolation_matrix(NAMES, ["Cz"], {}, "a")
    assert abs((matrix @ field)[6] - field[6]) < 0.15 * np.ptp(field)


def test_places_of_the_file_and_names_in_any_case():
    place = mne.channels.make_standard_montage("standard_1005").get_positions()["ch_pos"]
    other = {f"E{k}": place[name] for k, name in enumerate(NAMES)}
    by_file = interpolation_matrix(list(other), ["E6"], other, "a")
    by_name = interpolation_matrix([name.upper() for name in NAMES], ["CZ"], {}, "a")
    assert np.abs(by_file - by_name).max() < 0.1  # the centre of the head differs
    assert np.abs(by_file[6]).max() > 0.2
    labels = [f"{name}-REF" if k % 2 else f"{name}.." for k, name in enumerate(NAMES)]
    assert np.array_equal(interpolation_matrix(labels, [labels[6]], {}, "a"), by_name)


@pytest.mark.parametrize(
    ("names", "bad", "rule"),
    [
        (NAMES, NAMES[:4], r"at most 25% of the electrodes may be bad \(found 4 of 13: Fp1"),
        ([*NAMES, "Q1"], ["Q1"], "Q1 must have a standard name"),
        (["Q1", "Q2", "Q3", "Fz", "Cz"], ["Cz"], "4 good electrodes"),
    ],
)
def test_what_cannot_be_interpolated_is_refused(names, bad, rule):
    with pytest.raises(InputError, match=f"a: status: .*{rule}"):
        interpolation_matrix(names, bad, {}, "a")
