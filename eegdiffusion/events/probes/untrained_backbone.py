"""The control of every probe: the same backbone before it learned anything."""

import torch

from eegdiffusion.events.models.ssmdp import SSMDP


def untrained_backbone(backbone: SSMDP, seed: int) -> SSMDP:
    """Build a frozen backbone of the same sizes with freshly drawn weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return type(backbone).from_config(backbone.config).eval().requires_grad_(False)
