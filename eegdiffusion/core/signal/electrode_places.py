"""Where electrodes lie on the head, by their names: MNE's montage standard_1005.

Its coordinates stand in ``standard_1005.csv``, so that models find the place of an electrode without MNE.
"""

import csv
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np

_ADDED = re.compile(r"-(?:REF|LE|AVG?|CAR)$|\.+$")
"""What recorders add to the name of an electrode: the common reference, and PhysioNet's dots."""

FIDUCIALS = ("nasion", "lpa", "rpa")
"""Landmarks of the head: the root of the nose, and the points before the left and the right ear."""


@cache
def _coordinates() -> dict[str, np.ndarray]:
    """Return the coordinates (3,) in metres of landmarks and electrodes, in the frame of standard_1005."""
    text = files("eegdiffusion.core.signal").joinpath("standard_1005.csv").read_text("utf-8")
    return {row["name"]: np.array([float(row[axis]) for axis in "xyz"]) for row in csv.DictReader(text.splitlines())}


@cache
def montage_places() -> dict[str, np.ndarray]:
    """Return the place (3,) in metres of each electrode of the montage, by its name."""
    return {name: place for name, place in _coordinates().items() if name not in FIDUCIALS}


@cache
def head_transform() -> tuple[np.ndarray, np.ndarray]:
    """Return how places of the montage become places in MNE's head coordinates: ``rotation @ (place - origin)``.

    The x-axis leads from the left to the right point before the ear, the y-axis to the nasion, the z-axis up.

    Returns:
        rotation (3, 3), and origin (3,) in metres.
    """
    nasion, left, right = (_coordinates()[name] for name in FIDUCIALS)
    x = (right - left) / np.linalg.norm(right - left)
    origin = left + x * ((nasion - left) @ x)
    y = (nasion - origin) / np.linalg.norm(nasion - origin)
    return np.stack([x, y, np.cross(x, y)]), origin


def standard_places(names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the place (3,) in metres of each name that is one of the montage's, in any case and with a reference."""
    places = {name.upper(): place for name, place in montage_places().items()}
    plain = {name: _ADDED.sub("", name.upper()) for name in names}
    return {name: places[place] for name, place in plain.items() if place in places}
