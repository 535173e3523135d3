"""What fits each kind of structure map: activation, loss, and score.

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
"""Least probability of the mean field."""


@dataclass(frozen=True)
class StructureKind:
    """How maps of a kind are predicted.

    Attributes:
        channels: of a map.
        prior: mean field -> its logits.
        activate: logits (B, C, H, W) -> maps from 0 to 1.
        loss: logits, maps -> (B,), averaged over pixels.
        score: predicted maps, maps -> (B,), 1 at best.
        score_name: of the score.
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


def dice(found: Tensor, maps: Tensor) -> Tensor:
    """Soft Dice coefficient 2 <f, m> / (<f, f> + <m, m>) (Milletari et al. 2016, arXiv:1606.04797); the F1 of edges."""
    return 2 * (found * maps).sum((1, 2, 3)) / (found.square() + maps.square()).sum((1, 2, 3)).clamp(min=1e-8)


def piece_iou(found: Tensor, maps: Tensor) -> Tensor:
    """Intersection over union of the most probable piece, averaged over a tangram's pieces; the ground is none."""
    chosen = functional.one_hot(found.argmax(1), found.shape[1]).movedim(-1, 1)[:, 1:].bool()
    truth = maps[:, 1:] > 0.5
    both, either = (chosen & truth).sum((2, 3)), (chosen | truth).sum((2, 3))
    return (both / either.clamp(min=1)).mean(1)


def correlation(found: Tensor, maps: Tensor) -> Tensor:
    """Pearson correlation over the pixels of each map; 0 where one is constant."""
    return functional.cosine_similarity(*(x.flatten(1) - x.flatten(1).mean(1, keepdim=True) for x in (found, maps)))


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
    """Maps whose values are regressed."""
    return StructureKind(
        CHANNELS[kind], lambda mean: mean, lambda logits: logits.clamp(0, 1), _squared_error, correlation, "correlation"
    )


KINDS: dict[Kind, StructureKind] = {
    "edges": _EDGES, "hed": _EDGES, "pieces": _PIECES, "depth": _values("depth"), "colours": _values("colours"),
}  # fmt: skip
