"""Calibrates a trained LFT: what it calls 90 % sure shall be right in 90 of 100 windows."""

import torch

from eegdiffusion.core.statistics.calibration import fit_temperature
from eegdiffusion.events.models.lft import LFT
from eegdiffusion.events.store.latent_cache import LatentCache
from eegdiffusion.events.training.classifier_tokens import classify_tokens
from eegdiffusion.events.training.drawn_tokens import DrawnTokens


@torch.no_grad()
def calibrate(
    lft: LFT, validation: LatentCache | DrawnTokens, batch_size: int, device: torch.device, seed: int
) -> float:
    """Divide an LFT's logits by the temperature that makes the validation labels most likely.

    The temperature goes into the weights of the last layer, so that all that use the LFT have calibrated probabilities.
    The most probable class of a window stays the same.

    Args:
        lft: the trained LFT, which is changed.
        validation: tokens and labels of the validation split.
        batch_size: windows that go through the LFT at once.
        device: where it runs.
        seed: seed of the noise where tokens are drawn.

    Returns:
        the temperature.
    """
    predicted = classify_tokens(lft, validation, batch_size, device, seed).numpy()
    temperature = fit_temperature(validation.labels, predicted)
    lft.classifier.linear.weight /= temperature
    lft.classifier.linear.bias /= temperature
    return temperature
