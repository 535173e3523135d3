"""Activation, loss and score that fit each kind of structure map.

A network gives logits as deviations from those of the *mean field*, the mean map of the training images: it begins
where a constant guess is, and its gain over that guess is what it has learned.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from eegdiffusion.images.structure.structure_maps import CHANNELS, Kind

LEAST = 1e-3
"""Least probability of the mean field, whose logits are then finite."""


@dataclass(frozen=True)
class StructureKind:
    """How maps of a kind are predicted.

    Attributes:
        channels: number of channels of a map.
        prior: function from the mean field to its logits.
        activate: function from logits (B, C, H, W) to maps from 0 to 1.
        loss: function of logits and maps (B, C, H, W); (B,) losses, averaged over pixels.
        score: function of predicted maps and maps (B, C, H, W); (B,) scores, 1 at best.
        score_name: name of the score.
    """

    channels: int
    prior: Callable[[Tensor], Tensor]
    activate: Callable[[Tensor], Tensor]
    loss: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor, Tensor], Tensor]
    score_name: str


def _edge_loss(logits: Tensor, maps: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, maps, reduction="none").mean((1, 2, 3))


def _piece_loss(logits: Tensor, maps: Tensor) -> Tensor:
    return -(maps * logits.log_softmax(1)).sum(1).mean((1, 2))


def _squared_error(logits: Tensor, maps: Tensor) -> Tensor:
    return (logits - maps).square().mean((1, 2, 3))


def dice(predicted: Tensor, maps: Tensor) -> Tensor:
    """Compute the soft Dice coefficient 2 <p, m> / (<p, p> + <m, m>), the F1 of edges.

    Milletari et al. 2016, arXiv:1606.04797.
    """
    return 2 * (predicted * maps).sum((1, 2, 3)) / (predicted.square() + maps.square()).sum((1, 2, 3)).clamp(min=1e-8)


def piece_iou(predicted: Tensor, maps: Tensor) -> Tensor:
    """Compute the intersection over union of the most probable piece, averaged over a tangram's pieces."""
    chosen = functional.one_hot(predicted.argmax(1), predicted.shape[1]).movedim(-1, 1)[:, 1:].bool()
    truth = maps[:, 1:] > 0.5
    both, either = (chosen & truth).sum((2, 3)), (chosen | truth).sum((2, 3))
    return (both / either.clamp(min=1)).mean(1)


def correlation(predicted: Tensor, maps: Tensor) -> Tensor:
    """Compute the Pearson correlation over the pixels of each pair of maps; 0 where a map is constant."""
    return functional.cosine_similarity(*(x.flatten(1) - x.flatten(1).mean(1, keepdim=True) for x in (predicted, maps)))


_EDGES = StructureKind(
    CHANNELS["edges"], lambda mean: mean.clamp(LEAST, 1 - LEAST).logit(), torch.sigmoid, _edge_loss, dice, "dice"
)

_PIECES = StructureKind(
    CHANNELS["pieces"],
    lambda mean: mean.clamp(min=LEAST).log(),
    lambda logits: logits.softmax(1),
    _piece_loss,
    piece_iou,
    "iou",
)


def _values(kind: Kind) -> StructureKind:
    """Return how maps whose values are regressed are predicted."""
    return StructureKind(
        CHANNELS[kind], lambda mean: mean, lambda logits: logits.clamp(0, 1), _squared_error, correlation, "correlation"
    )


KINDS: dict[Kind, StructureKind] = {
    "edges": _EDGES, "hed": _EDGES, "pieces": _PIECES, "depth": _values("depth"), "colours": _values("colours"),
}  # fmt: skip
