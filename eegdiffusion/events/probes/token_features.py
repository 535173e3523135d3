"""Features of a window for a probe, made of its latent tokens."""

from collections.abc import Sequence

import numpy as np


def token_features(tokens: np.ndarray, channels: Sequence[int] | None = None) -> np.ndarray:
    """Take the mean and the maximum of tokens over channels, layer by layer and second by second.

    A montage of any size gives as many features, and an event on a few channels stands out in the maximum.

    Args:
        tokens: (windows, layers, pools, channels, width).
        channels: channels that are used; None: all.

    Returns:
        (windows, 2 * layers * pools * width) float32.
    """
    if channels is not None:
        tokens = tokens[:, :, :, list(channels)]
    both = np.stack([tokens.mean(3), tokens.max(3)], axis=1)
    return both.reshape(len(tokens), -1).astype(np.float32, copy=False)
