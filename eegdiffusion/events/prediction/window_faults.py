"""Which windows of a channel are constant or clipped."""

import numpy as np
import torch

from eegdiffusion.core.signal.quality import faults

_AT_ONCE = 1024


def window_faults(signal: np.ndarray, firsts: np.ndarray, length: int) -> np.ndarray:
    """Find the windows of a channel that are constant, and those that are clipped.

    Args:
        signal: (samples,) in any unit.
        firsts: (windows,) first sample of each window.
        length: samples in a window.

    Returns:
        (2, windows) of bool: constant, clipped.
    """
    marks = np.zeros((2, len(firsts)), bool)
    if not len(firsts):
        return marks
    views = np.lib.stride_tricks.sliding_window_view(signal, length)
    for begin in range(0, len(firsts), _AT_ONCE):
        some = slice(begin, begin + _AT_ONCE)
        windows = torch.from_numpy(views[firsts[some]].copy())
        marks[:, some] = [mark[:, 0].numpy() for mark in faults(windows[:, None])]
    return marks
