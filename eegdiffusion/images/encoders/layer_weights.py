"""Weights of the layers of a mixture for a map that is fitted, not trained: from the validation split."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from eegdiffusion.images.encoders.alignment import nt_xent
from eegdiffusion.images.encoders.linear_encoder import LinearEncoder

STEPS, RATE, SCALE = 200, 0.1, 1 / 0.07
"""Steps and rate of Adam, and inverse temperature of the loss."""


def mix_layers(
    encoder: LinearEncoder, predicted: np.ndarray, features: np.ndarray, identity: np.ndarray,
    layer_widths: Sequence[int],
) -> LinearEncoder:  # fmt: skip
    """Give a linear encoder the weights of the layers that have the least contrastive loss on validation epochs.

    Args:
        encoder: map to the joined unit activations of the layers.
        predicted: (epochs, width) what it predicts of validation epochs.
        features: (epochs, width) features of the images seen.
        identity: (epochs,) numbers of the images seen.
        layer_widths: widths of the layers.

    Returns:
        the encoder with its mixture, in evaluation mode.
    """
    mixed = LinearEncoder(**dict(encoder.config) | {"layer_widths": list(layer_widths)})
    mixed.map.load_state_dict(encoder.map.state_dict())
    embedding = functional.normalize(torch.from_numpy(predicted), dim=1)
    wanted, images, mixture = torch.from_numpy(features), torch.from_numpy(identity), mixed.layer_mixture
    optimiser = torch.optim.Adam([mixture.logits], RATE)
    for _ in range(STEPS):
        optimiser.zero_grad()
        nt_xent(mixture(embedding, None), wanted, images, SCALE).backward()
        optimiser.step()
    return mixed.eval()
