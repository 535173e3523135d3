"""Derivations of two electrodes: their canonical names, and which of TUEV's 22 is nearest to a place on the head."""

import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np

from eegdiffusion.core.signal.electrode_places import montage_places
from eegdiffusion.core.signal.montage import BIPOLAR

SAME_PLACE = {"T7": "T3", "T8": "T4", "P7": "T5", "P8": "T6"}
"""The 10-10 system's names of electrodes that the 10-20 system, and the montages, call otherwise."""


def canonical(name: str) -> str:
    """Return the name of an electrode, a derivation or a channel in upper case, as the 10-20 system calls it."""
    text = unicodedata.normalize("NFKC", name).strip().upper()
    return "-".join(SAME_PLACE.get(part.strip(), part.strip()) for part in text.split("-"))


def electrodes_of(name: str) -> tuple[str, ...]:
    """Return the two electrodes of a derivation, or the one that the channel is, by their canonical names."""
    parts = canonical(name).split("-")
    return tuple(parts) if len(parts) == 2 and all(parts) else ("-".join(parts),)


def tcp_index(name: str) -> int | None:
    """Return which of TUEV's 22 derivations a channel is, whatever its sign; None for none of them."""
    return derivation_index(name, BIPOLAR)


def derivation_index(name: str, derivations: Sequence[str]) -> int | None:
    """Return which of some derivations or electrodes a channel is, whatever its sign; None for none of them."""
    pair = electrodes_of(name)
    known = [electrodes_of(derivation) for derivation in derivations]
    return next((known.index(electrodes) for electrodes in (pair, pair[::-1]) if electrodes in known), None)


def distances_mm(electrodes: Sequence[str]) -> np.ndarray | None:
    """Measure how far an electrode or a derivation lies from each of TUEV's 22 derivations.

    A derivation lies in the middle between its electrodes.

    Args:
        electrodes: one or two, by their canonical names.

    Returns:
        (22,) in mm; None where MNE's standard_1005 has no place for an electrode.
    """
    place = derivation_place(electrodes)
    if place is None:
        return None
    derivations = np.array([derivation_place(electrodes_of(name)) for name in BIPOLAR])
    return 1000 * np.linalg.norm(derivations - place, axis=1)


def derivation_place(electrodes: Sequence[str]) -> np.ndarray | None:
    """Return the place (3,) in metres of an electrode, or the middle between two, in the frame of standard_1005.

    Args:
        electrodes: one or two, by their canonical names.

    Returns:
        None where standard_1005 has no place for an electrode.
    """
    places = _places()
    if any(name not in places for name in electrodes):
        return None
    return np.mean([places[name] for name in electrodes], axis=0)


@cache
def _places() -> dict[str, np.ndarray]:
    """Return the places of electrodes in MNE's standard_1005 in metres, by their canonical names."""
    return {canonical(name): place for name, place in montage_places().items()}
