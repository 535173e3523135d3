"""Which channels probes see beside all of them."""

from collections.abc import Sequence

import numpy as np

TEMPORAL = {
    "8 temporal": ["FP1-F7", "F7-T3", "T3-T5", "T5-O1", "FP2-F8", "F8-T4", "T4-T6", "T6-O2"],
    "4 temporal": ["F7-T3", "T3-T5", "F8-T4", "T4-T6"],
    "2 temporal": ["T3-T5", "T4-T6"],
}
"""Derivations along the temporal chains of the double banana, as small recorders have them."""

SIZES = (8, 4, 2, 1)
"""Numbers of channels that are taken of other montages; one alone of two."""


def usual_subsets(channels: Sequence[str]) -> dict[str, list[str]]:
    """Choose subsets of a montage: its temporal derivations, or channels spread over it where it has none of these.

    Args:
        channels: names of the montage's channels, in order.

    Returns:
        name -> channels in the montage's order; nothing of a montage of one channel.
    """
    temporal = {name: list(these) for name, these in TEMPORAL.items() if set(these) < set(channels)}
    if temporal:
        return temporal
    sizes = [size for size in SIZES if size < len(channels) and (size > 1 or len(channels) == 2)]
    places = {size: np.linspace(0, len(channels) - 1, size).round().astype(int) for size in sizes}
    return {f"{size} of {len(channels)}": [channels[place] for place in where] for size, where in places.items()}
