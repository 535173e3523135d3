"""Sliding windows of a recording, and which of them a model may be asked about."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from tqdm import tqdm

from eegdiffusion.core.runtime.allotment import available_cores
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montage import ELECTRODES, derivations
from eegdiffusion.core.signal.preprocessing import Preprocessing
from eegdiffusion.core.signal.quality import faults
from eegdiffusion.events.corpora import tuev
from eegdiffusion.events.prediction.recording import ElectrodeRecording, require_rate

STEP_S = 1

MOST_UNUSABLE = 0.5
"""A recording with a larger share of unusable windows is refused."""


def derived(recording: ElectrodeRecording, preprocessing: Preprocessing) -> np.ndarray:
    """Filter, resample and derive as the model's training data were: (22, samples) float64 in units of 100 uV.

    Raises:
        InputError: the recording is sampled too slowly for the model's band-pass, or shorter than a window.
    """
    require_rate(recording, preprocessing.filtering.high_hz)
    seconds = preprocessing.window / preprocessing.filtering.rate_hz
    length = recording.signals.shape[1] / recording.rate_hz
    if length < seconds:
        raise InputError(f"{recording.path}: duration: must be {seconds:g} s or more (found {length:g} s)")
    # MNE filters in place, and the recorded signal is still to be checked.
    signals = recording.signals.copy()
    return tuev.bipolar_signals(signals, recording.rate_hz, preprocessing.filtering, preprocessing.montage_sign)


def starts(samples: int, preprocessing: Preprocessing) -> np.ndarray:
    """Return the first samples of the windows of a preprocessed recording, a second apart; none goes beyond its end."""
    step = round(STEP_S * preprocessing.filtering.rate_hz)
    return np.arange(0, samples - preprocessing.window + 1, step)


def _batches(begin: int, count: int, size: int) -> Iterator[slice]:
    for first in range(begin, count, size):
        yield slice(first, min(first + size, count))


def _cut(signals: np.ndarray, firsts: np.ndarray, length: int) -> np.ndarray:
    """Cut windows: (channels, samples) -> (windows, channels, length)."""
    views = np.lib.stride_tricks.sliding_window_view(signals, length, axis=1)
    return views[:, firsts].transpose(1, 0, 2)


def usable(recording: ElectrodeRecording, signals: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Find the windows without a constant or clipped channel, as recorded and as derived: (windows,) bool.

    Raises:
        InputError: they are too few; the message names the channels and what is wrong with them.
    """
    firsts = starts(signals.shape[1], preprocessing)
    seconds, length = firsts / preprocessing.filtering.rate_hz, preprocessing.window / preprocessing.filtering.rate_hz
    recorded_length = round(length * recording.rate_hz)
    recorded = np.rint(seconds * recording.rate_hz).astype(int)
    # Rounding of the resampled length may ask for a sample beyond the recording's last.
    recorded = np.minimum(recorded, recording.signals.shape[1] - recorded_length)
    names = [*ELECTRODES, *derivations(preprocessing.montage_sign)]
    faulty_parts: dict[str, list[np.ndarray]] = {"constant": [], "clipped": []}
    for some in _batches(0, len(firsts), 256):
        kinds = zip(
            faults(torch.from_numpy(_cut(recording.signals, recorded[some], recorded_length).copy())),
            faults(torch.from_numpy(_cut(signals, firsts[some], preprocessing.window).copy())),
            strict=True,
        )
        for kind, parts in zip(faulty_parts, kinds, strict=True):
            faulty_parts[kind].append(torch.cat(parts, dim=1).numpy())
    shares = {kind: np.concatenate(parts) for kind, parts in faulty_parts.items()}
    bad = (shares["constant"] | shares["clipped"]).any(axis=1)
    if bad.mean() > MOST_UNUSABLE:
        listed = [
            f"{name} {kind} in {share:.0%}"
            for kind, faulty in shares.items()
            for name, share in zip(names, faulty.mean(axis=0), strict=True)
            if share > 0
        ]
        raise InputError(
            f"{recording.path}: signal: no channel may be constant or clipped in more than {MOST_UNUSABLE:.0%} of the "
            f"windows (found {', '.join(listed)})"
        )
    return ~bad


def classify(
    signals: np.ndarray,
    good: np.ndarray,
    preprocessing: Preprocessing,
    predict: Callable[[np.ndarray], np.ndarray],
    batch: int,
) -> np.ndarray:
    """Classify the sliding windows of a recording, with a progress bar.

    Args:
        signals: (22, samples) in units of 100 uV.
        good: which windows to ask about, from :func:`usable`.
        preprocessing: preprocessing of the model's training data.
        predict: (n, 22, window) float32 -> (n, classes).
        batch: windows in a call.

    Returns:
        (windows, classes); NaN where a window is not usable.
    """
    firsts = starts(signals.shape[1], preprocessing)
    probabilities = np.full((len(firsts), len(preprocessing.classes)), np.nan)
    chosen = np.flatnonzero(good)

    def run(some: slice) -> int:
        rows = chosen[some]
        windows = _cut(signals, firsts[rows], preprocessing.window).astype(np.float32, order="C")
        probabilities[rows] = predict(windows)
        return len(rows)

    # Batches side by side, a core each: small models leave the threads of one operation waiting for each other.
    threads, cores = torch.get_num_threads(), available_cores()
    torch.set_num_threads(1)
    try:
        with (
            tqdm(total=len(chosen), desc="predicting", unit="window", leave=None) as bar,
            ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool,
        ):
            bar.update(run(slice(0, 1)))  # computes the kernels that the others share
            for count in pool.map(run, _batches(1, len(chosen), batch)):
                bar.update(count)
    finally:
        torch.set_num_threads(threads)
    return probabilities
