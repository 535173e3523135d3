"""Channels that carry no usable signal: constant ones and clipped ones.

The functions take PyTorch tensors and call methods of theirs alone, so that torch is not imported here.
"""

from typing import TYPE_CHECKING

from eegdiffusion.core.runtime.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

CLIPPED_SHARE = 0.05
"""A channel with more of its samples at its largest or at its smallest value, and more than 8, is clipped."""


def faults(signals: "Tensor") -> tuple["Tensor", "Tensor"]:
    """Find the constant and the clipped channels of (batch, channels, samples): two (batch, channels) of bool."""
    high, low = signals.amax(-1, keepdim=True), signals.amin(-1, keepdim=True)
    constant = (high == low)[..., 0]
    at_rail = (signals == high).sum(-1).maximum((signals == low).sum(-1))
    return constant, (at_rail > max(8, CLIPPED_SHARE * signals.shape[-1])) & ~constant


def check_channels(name: str, signals: "Tensor") -> None:
    """Raise InputError where a channel of (batch, channels, samples) is constant or clipped.

    Args:
        name: name of the argument, for the message.
        signals: finite, in any unit.
    """
    constant, clipped = (mask.any(0) for mask in faults(signals))
    for kind, mask, rule in (
        ("constant", constant, "vary"),
        ("clipped", clipped, f"have at most {CLIPPED_SHARE:.0%} of its samples at its largest or smallest value"),
    ):
        if mask.any():
            channels = ", ".join(str(k) for k in mask.nonzero().flatten().tolist())
            raise InputError(f"{name}: every channel must {rule} (found {kind}: {channels})")
