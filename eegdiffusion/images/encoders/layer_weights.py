"""Weights of the layers of a mixture for a map that is fitted, not trained: from the validation split."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch.nn import functional

from eegdiffusion.images.encoders.alignment import nt_xent
from eegdiffusion.images.encoders.linear_encoder import LinearEncoder

STEPS, RATE, SCALE = 200, 0.1, 1 / 0.07
"""Steps and rate of Adam, and inverse temperature of the loss."""


def mix_layers(
    encoder: LinearEncoder, validation: Mapping[str, np.ndarray], layer_widths: Sequence[int]
) -> LinearEncoder:
    """Give a linear encoder the weights of the layers that have the least contrastive loss on validation epochs.

    Args:
        encoder: map to the joined unit activations of the layers.
        validation: ``eeg`` (epochs, electrodes, samples), ``features`` (epochs, width) and ``identity`` (epochs,).
        layer_widths: widths of the layers.

    Returns:
        the encoder with its mixture, in evaluation mode.
    """
    mixed = LinearEncoder(**dict(encoder.config) | {"layer_widths": list(layer_widths)})
    mixed.map.load_state_dict(encoder.map.state_dict())
    with torch.inference_mode():
        predicted = encoder(torch.from_numpy(validation["eeg"]))
    embedding, features = functional.normalize(predicted, dim=1).clone(), torch.from_numpy(validation["features"])
    identity, mixture = torch.from_numpy(validation["identity"]), mixed.layer_mixture
    optimiser = torch.optim.Adam([mixture.logits], RATE)
    for _ in range(STEPS):
        optimiser.zero_grad()
        nt_xent(mixture(embedding, None), features, identity, SCALE).backward()
        optimiser.step()
    return mixed.eval()
