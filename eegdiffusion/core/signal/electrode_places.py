"""Where electrodes lie on the head, by their names: MNE's montage standard_1005."""

import re
from collections.abc import Sequence
from functools import cache

import mne
import numpy as np

_ADDED = re.compile(r"-(?:REF|LE|AVG?|CAR)$|\.+$")
"""What recorders add to the name of an electrode: the common reference, and PhysioNet's dots."""


@cache
def montage_places() -> dict[str, np.ndarray]:
    """Return the place (3,) in metres of each electrode of the montage, by its name."""
    return mne.channels.make_standard_montage("standard_1005").get_positions()["ch_pos"]


def standard_places(names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the place (3,) in metres of each name that is one of the montage's, in any case and with a reference."""
    places = {name.upper(): place for name, place in montage_places().items()}
    plain = {name: _ADDED.sub("", name.upper()) for name in names}
    return {name: places[place] for name, place in plain.items() if place in places}
