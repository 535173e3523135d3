"""How much the right EEG lowers the denoising loss, against the EEG of another image."""

import numpy as np

from eegdiffusion.core.statistics.retrieval import bootstrap


def denoising_gain(losses: dict[str, dict[str, np.ndarray]], image: np.ndarray) -> dict[str, float]:
    """Compute mean losses by split and condition, and the gain of the right EEG on the test split.

    ``gain`` is the loss under another image's EEG less the loss under the right one, as a share of the former, with a
    bootstrap interval over test images.

    Args:
        losses: (epochs,) losses by split, then by condition; ``own`` is the right EEG, ``shuffled`` another image's.
        image: (epochs,) number of the image seen in each epoch of the test split.

    Returns:
        ``<split>_loss`` of the right EEG, ``<split>_loss_<condition>`` of others, ``gain``, ``gain_low``,
        ``gain_high``.
    """
    metrics = {}
    for split, by_condition in losses.items():
        for condition, values in by_condition.items():
            name = f"{split}_loss" if condition == "own" else f"{split}_loss_{condition}"
            metrics[name] = float(values.mean())
    test = losses["test"]
    gain = bootstrap((test["shuffled"] - test["own"]) / test["shuffled"].mean(), image)
    return metrics | {"gain": gain.mean, "gain_low": gain.low, "gain_high": gain.high}
