"""Initial weights with which convolutional autoencoders pass on what they are given, coarsely.

With weights drawn at random, a deep autoencoder first learns the direction in which images vary most, luminance, and
its latents carry nothing else for hundreds of steps. One whose convolutions are identities (Dirac kernels,
arXiv:1706.00388) and whose residual branches are zero (arXiv:1706.02677, section 5.1) carries colours from the first
step on. The functions are named like those of ``torch.nn.init``: they change a layer in place.
"""

import torch
from torch import nn

NOISE = 0.1
"""Share of the random weights that stays, since channels that begin alike would stay alike."""

LOG_VARIANCE = -6.0
"""Initial log variance of the latents; wide noise would drown what they carry."""


@torch.no_grad()
def dirac_init_(layer: nn.Conv2d, copies: int = 1) -> None:
    """Let a convolution pass on its first input channels, each to ``copies`` consecutive output channels."""
    random_weight = layer.weight.clone()
    nn.init.dirac_(layer.weight[::copies])
    for k in range(1, copies):
        layer.weight[k::copies] = layer.weight[::copies]
    layer.weight.add_(NOISE * random_weight)
    nn.init.zeros_(layer.bias)


@torch.no_grad()
def zero_init_(layer: nn.Conv2d) -> None:
    """Let a convolution add nothing at the start of training."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)


@torch.no_grad()
def narrow_posterior_init_(layer: nn.Conv2d | nn.Linear) -> None:
    """Let a layer that gives means and log variances of latents, in this order, begin with narrow distributions."""
    half = len(layer.bias) // 2
    layer.weight[half:].mul_(NOISE)
    nn.init.constant_(layer.bias[half:], LOG_VARIANCE)
