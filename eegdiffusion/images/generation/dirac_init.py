"""A start for convolutional autoencoders at which they pass on what they are given, coarsely.

With weights drawn at random, a deep autoencoder first learns the direction in which pictures vary most, luminance, and
its latents carry nothing else for hundreds of steps. One whose convolutions are identities (Dirac kernels,
arXiv:1706.00388) and whose residual branches are silent (arXiv:1706.02677, section 5.1) carries colours
from the first step on.
"""

import torch
from torch import nn

NOISE = 0.1
"""Share of the drawn weights that stays: channels that begin alike would stay alike."""

LOG_VARIANCE = -6.0
"""Of the latents at the start: wide noise would drown what they carry."""


@torch.no_grad()
def carry(layer: nn.Conv2d, copies: int = 1) -> None:
    """Let a convolution pass on its first input channels, each to ``copies`` outputs that follow each other."""
    drawn = layer.weight.clone()
    nn.init.dirac_(layer.weight[::copies])
    for k in range(1, copies):
        layer.weight[k::copies] = layer.weight[::copies]
    layer.weight.add_(NOISE * drawn)
    nn.init.zeros_(layer.bias)


@torch.no_grad()
def silence(layer: nn.Conv2d) -> None:
    """Let a convolution add nothing at the start."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)


@torch.no_grad()
def sharpen(layer: nn.Conv2d | nn.Linear) -> None:
    """Let a layer that gives means and log variances of latents, in this order, begin with narrow distributions."""
    half = len(layer.bias) // 2
    layer.weight[half:].mul_(NOISE)
    nn.init.constant_(layer.bias[half:], LOG_VARIANCE)
