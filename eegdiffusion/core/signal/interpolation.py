"""Interpolation of bad electrodes from the others by spherical splines (Perrin et al. 1989), as a matrix."""

from collections.abc import Sequence

import mne
import numpy as np

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.electrode_places import montage_places, standard_places

MOST_BAD = 0.25
"""Largest share of electrodes that are interpolated: more leave too few around them."""

FEWEST_GOOD = 4
"""Least number of good electrodes whose places are known."""

FEWEST_PLACES = 10
"""Least number of places of a file's own that tell where the centre of the head is."""


def interpolation_matrix(
    names: Sequence[str], bad: Sequence[str], positions: dict[str, np.ndarray], where: str
) -> np.ndarray:
    """Return the matrix (electrodes, electrodes) that puts interpolated signals in the place of bad electrodes'.

    The good electrodes stay as they are. Interpolation is linear, so that it can be applied to any stretch of signals.

    Args:
        names: names of the electrodes.
        bad: names of those that are bad.
        positions: (3,) place in metres of each electrode that a file gives, by name; where it does not give all, the
            standard 10-05 places of their names are taken.
        where: file, for errors.

    Raises:
        InputError: too many are bad, or the place of a bad electrode is not known.
    """
    good = [name for name in names if name not in bad]
    if len(bad) > MOST_BAD * len(names):
        raise InputError(
            f"{where}: status: at most {MOST_BAD:.0%} of the electrodes may be bad (found {len(bad)} of {len(names)}: "
            f"{', '.join(bad)})"
        )
    if len(positions) < FEWEST_PLACES or not set(names) <= positions.keys():
        centre, positions = _standard_positions(names)
    else:
        centre = _sphere_centre(np.stack(list(positions.values())))
    if unknown := [name for name in bad if name not in positions]:
        raise InputError(
            f"{where}: status: {', '.join(unknown)} must have a standard name or a place in the file, as bad electrodes"
            " are interpolated; or leave the recording out"
        )
    sources = [name for name in good if name in positions]
    if len(sources) < FEWEST_GOOD:
        raise InputError(
            f"{where}: status: {FEWEST_GOOD} good electrodes must have known places (found {len(sources)})"
        )
    matrix = np.eye(len(names))
    row = {name: k for k, name in enumerate(names)}
    columns = [row[name] for name in sources]
    for name, weights in zip(bad, _weights(sources, bad, positions, centre), strict=True):
        matrix[row[name]] = 0
        matrix[row[name], columns] = weights
    return matrix


def _standard_positions(names: Sequence[str]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the centre of the head that the 10-05 places lie on, and the place of each name that is one of them."""
    return _sphere_centre(np.stack(list(montage_places().values()))), standard_places(names)


def _sphere_centre(places: np.ndarray) -> np.ndarray:
    """Return the centre (3,) of the sphere that fits places (electrodes, 3) best, by least squares."""
    terms = np.column_stack([2 * places, np.ones(len(places))])
    return np.linalg.lstsq(terms, (places**2).sum(axis=1), rcond=None)[0][:3]


def _weights(
    sources: Sequence[str], bad: Sequence[str], positions: dict[str, np.ndarray], centre: np.ndarray
) -> np.ndarray:
    """Return the weight of each source in each bad electrode, (bad, sources), by interpolating unit signals."""
    names = [*sources, *bad]
    montage = mne.channels.make_dig_montage({name: positions[name] for name in names}, coord_frame="head")
    info = mne.create_info(names, 1.0, "eeg")
    with mne.utils.use_log_level("error"):
        unit = mne.EvokedArray(np.eye(len(names)), info.set_montage(montage))
        unit.info["bads"] = list(bad)
        unit.interpolate_bads(reset_bads=False, origin=tuple(centre))
    return unit.data[len(sources) :, : len(sources)]
