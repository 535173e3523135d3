"""What the right EEG gains in denoising, against that of another image."""

import numpy as np

from eegdiffusion.core.statistics.retrieval import bootstrap


def denoising_gain(losses: dict[str, dict[str, np.ndarray]], image: np.ndarray) -> dict[str, float]:
    """Mean losses by split and condition, and how much the right epoch gains on the test split.

    ``gain`` is the loss under another image's epoch less the loss under the right one, as a share of the former, with a
    bootstrap interval over test images.

    Args:
        losses: split -> condition -> (epochs,).
        image: (epochs,) of the test split.
    """
    found = {}
    for split, parts in losses.items():
        for name, values in parts.items():
            found[f"{split}_loss" if name == "own" else f"{split}_loss_{name}"] = float(values.mean())
    test = losses["test"]
    score = bootstrap((test["shuffled"] - test["own"]) / test["shuffled"].mean(), image)
    return found | {"gain": score.mean, "gain_low": score.low, "gain_high": score.high}
