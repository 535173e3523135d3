"""Sliding windows of a recording: which of them a model may be asked about, and what it says of them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from eegdiffusion.core.runtime.allotment import available_cores
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.core.signal.preprocessing import Preprocessing
from eegdiffusion.core.signal.quality import faults
from eegdiffusion.events.prediction.derived_signals import DerivedSignals

MOST_UNUSABLE = 0.5
"""A recording with a larger share of unusable windows is refused."""


def _batches(begin: int, count: int, size: int) -> Iterator[slice]:
    for first in range(begin, count, size):
        yield slice(first, min(first + size, count))


def window_starts(signals: DerivedSignals) -> np.ndarray:
    """Return the first samples of the windows of all pieces: (windows,)."""
    return np.concatenate([piece.starts for piece in signals.pieces])


def _cut(signals: DerivedSignals, firsts: np.ndarray, length: int) -> np.ndarray:
    """Cut windows: (windows, channels, length)."""
    return np.stack([signals.read(first, first + length) for first in firsts.tolist()])


def usable(
    path: Path, signals: DerivedSignals, recorded: np.ndarray, preprocessing: Preprocessing, fewest: int | None = None
) -> np.ndarray:
    """Find the channels of each window that are neither constant nor clipped, as recorded and as derived.

    Args:
        path: file of the recording, for errors.
        signals: its derivations.
        recorded: (2, recorded channels, windows) of bool, constant and clipped ones as recorded.
        preprocessing: what the model carries.
        fewest: channels that a window must have at least, for the model to be asked about it; None: all of the model's.

    Returns:
        (windows, channels) of bool; a window of too few such channels has none.

    Raises:
        InputError: most windows have too few; the message names the channels and what is wrong with them.
    """
    fewest = len(preprocessing.channels) if fewest is None else fewest
    firsts = window_starts(signals)
    derived = np.zeros((2, len(signals.channels), len(firsts)), bool)
    for some in _batches(0, len(firsts), 64):
        windows = torch.from_numpy(_cut(signals, firsts[some], preprocessing.window))
        derived[:, :, some] = [mark.numpy().T for mark in faults(windows)]
    good = ~derived.any(axis=0)
    for channel, terms in zip(good, signals.derived.sums, strict=True):
        channel &= ~recorded[:, [term.row for term in terms]].any(axis=(0, 1))
    good[:, good.sum(axis=0) < fewest] = False
    constant, clipped = np.concatenate([recorded, derived], axis=1)
    bad = ~good.any(axis=0)
    # A piece too short for a window has no prediction either: it counts as the windows that it would add.
    short = sum(piece.samples for piece in signals.pieces if not len(piece.starts)) / signals.rate_hz
    if (bad.sum() + short) / (len(bad) + short) > MOST_UNUSABLE:
        listed = [
            f"{name} {kind} in {share:.0%}"
            for kind, faulty in (("constant", constant), ("clipped", clipped))
            for name, share in zip([*signals.recorded, *signals.channels], faulty.mean(axis=1), strict=True)
            if share > 0
        ]
        if short:
            listed.append(f"{short:g} s in pieces shorter than a window")
        which = "no channel" if fewest == len(preprocessing.channels) else f"no more than all but {fewest} channels"
        raise InputError(
            f"{path}: signal: {which} may be constant or clipped in more than {MOST_UNUSABLE:.0%} of the windows "
            f"(found {', '.join(listed)})"
        )
    return good.T


def _alike(good: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the sets of channels that windows have, and the windows of each, most windows first."""
    masks, mask_of, counts = np.unique(good, axis=0, return_inverse=True, return_counts=True)
    for k in np.argsort(-counts, kind="stable"):
        if masks[k].any():
            yield np.flatnonzero(masks[k]), np.flatnonzero(mask_of == k)


def classify(
    signals: DerivedSignals,
    good: np.ndarray,
    preprocessing: Preprocessing,
    predict: Callable[[np.ndarray, list[str]], np.ndarray],
    batch: int,
) -> np.ndarray:
    """Classify the sliding windows of a recording, with a progress bar.

    Args:
        signals: the derivations.
        good: (windows, channels) which channels of each window to ask about, from :func:`usable`.
        preprocessing: preprocessing of the model's training data.
        predict: (n, channels, window) float32, names of the channels -> (n, classes).
        batch: windows in a call.

    Returns:
        (windows, classes); NaN where a window is not usable.
    """
    probabilities = np.full((len(good), len(preprocessing.classes)), np.nan)

    def answer(rows: np.ndarray, windows: np.ndarray, kept: np.ndarray) -> None:
        probabilities[rows] = predict(windows, [signals.channels[k] for k in kept])

    ask_windows(signals, good, preprocessing.window, answer, batch, "predicting")
    return probabilities


def ask_windows(
    signals: DerivedSignals,
    good: np.ndarray,
    length: int,
    answer: Callable[[np.ndarray, np.ndarray, np.ndarray], None],
    batch: int,
    what: str,
) -> None:
    """Give a function batches of windows that have the same channels, on all cores, with a progress bar.

    Args:
        signals: the derivations.
        good: (windows, channels) of bool, which channels of each window are given; windows without any are not.
        length: samples in a window.
        answer: (rows, windows (n, channels, length) float32, positions of their channels), which keeps what it finds.
        batch: windows in a call.
        what: what the bar says.
    """
    firsts = window_starts(signals)
    parts = [
        (kept, chosen[some])
        for kept, chosen in _alike(good)
        # The first window computes the kernels that the others share.
        for some in (slice(0, 1), *_batches(1, len(chosen), batch))
    ]
    if not parts:
        return

    def run(part: tuple[np.ndarray, np.ndarray]) -> int:
        kept, rows = part
        windows = _cut(signals, firsts[rows], length)[:, kept].astype(np.float32, order="C")
        answer(rows, windows, kept)
        return len(rows)

    # Batches side by side, a core each: small models leave the threads of one operation waiting for each other.
    threads, cores = torch.get_num_threads(), available_cores()
    torch.set_num_threads(1)
    try:
        with (
            progress(total=int(good.any(axis=1).sum()), desc=what, unit="window", leave=None) as bar,
            ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool,
        ):
            bar.update(run(parts[0]))
            for count in pool.map(run, parts[1:]):
                bar.update(count)
    finally:
        torch.set_num_threads(threads)
