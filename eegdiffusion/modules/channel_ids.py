"""Which of a backbone's channels others' channels are: by name, or by where they lie on the head."""

from collections.abc import Mapping, Sequence

import numpy as np

from eegdiffusion.core.recordings.electrode_labels import read_channels
from eegdiffusion.core.signal.derivations import canonical, derivation_index, derivation_place, electrodes_of
from eegdiffusion.core.signal.electrode_places import head_transform

UNKNOWN = -1
"""Number of a channel that has neither a name nor a place of the backbone's."""

_NEAREST_M, _FARTHEST_M = 0.05, 0.16
"""How far an electrode lies from the origin of the head's coordinates; what is elsewhere is no place on a head."""


def channel_ids(
    names: Sequence[str],
    known: Sequence[str],
    places: Sequence[Sequence[float] | None] | None = None,
    numbers: Mapping[str, int] | None = None,
) -> list[int]:
    """Return the number of each channel: that of the same derivation or electrode, else of the nearest one.

    A derivation lies in the middle between its electrodes.

    Args:
        names: labels of the channels as recorders write them, such as ``FP1-F7``, ``EEG Fp1-REF`` or ``T7``.
        known: the derivations or electrodes that the numbers count.
        places: where each channel lies, (3,) in metres in MNE's head coordinates, for names that have no place in
            MNE's standard_1005; None, or what is no place on a head, where that is not known.
        numbers: numbers of channels that are stated, by name.

    Returns:
        a number for each channel; :data:`UNKNOWN` where it can be had neither by name nor by place.
    """
    exact = {canonical(name): k for k, name in reversed(list(enumerate(known)))}
    exact |= {canonical(name): number for name, number in (numbers or {}).items()}
    derivations = [derivation_place(electrodes_of(name)) for name in known]
    ids = []
    for k, (name, label) in enumerate(zip(names, _labels(names), strict=True)):
        if canonical(name) in exact:
            ids.append(exact[canonical(name)])
        elif (index := derivation_index(label, known)) is not None:
            ids.append(index)
        else:
            place = derivation_place(electrodes_of(label))
            if place is None and places is not None:
                place = _from_head(places[k])
            ids.append(_nearest(place, derivations))
    return ids


def _labels(names: Sequence[str]) -> list[str]:
    """Return what names say without prefixes and references: an electrode, or two as ``FP1-F7``."""
    read = read_channels(list(names), {}, {})
    return [
        canonical(name) if channel is None else channel.electrode + f"-{channel.against}" * channel.bipolar
        for name, channel in zip(names, read, strict=True)
    ]


def _from_head(place: Sequence[float] | None) -> np.ndarray | None:
    """Return a place (3,) of the head's coordinates in the frame of standard_1005; None where it is on no head."""
    if place is None or len(place) != 3:
        return None
    point = np.asarray(place, dtype=float)
    if not _NEAREST_M <= np.linalg.norm(point) <= _FARTHEST_M:  # NaN neither
        return None
    rotation, origin = head_transform()
    return rotation.T @ point + origin


def _nearest(place: np.ndarray | None, derivations: Sequence[np.ndarray | None]) -> int:
    placed = [k for k, derivation in enumerate(derivations) if derivation is not None]
    if place is None or not placed:
        return UNKNOWN
    return min(placed, key=lambda k: float(np.linalg.norm(derivations[k] - place)))
