"""Baseline correction, resampling and cropping of epochs, as one matrix."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import mne
import numpy as np
from annotated_types import Gt

from eegdiffusion.core.runtime.settings import settings


@settings
class Epoching:
    """How epochs are cut from continuous recordings: an entry of the section ``epochs``."""

    channels: str | None = None
    """Regular expression that the beginning of an electrode's name matches; null: all that the corpus's layout has."""
    tmin_s: float
    """Begin of an epoch in seconds from the onset of the image."""
    tmax_s: float
    """End of an epoch in seconds from the onset. MNE reads the sample at it too, and resampling to a lower rate
    loses it: it is never kept."""
    baseline: bool = True
    """Whether the mean of the samples up to the onset is subtracted."""
    rate_hz: Annotated[float, Gt(0)]
    """Sampling rate of the epochs in Hz, to which they are resampled."""
    keep_from_s: float | None = None
    """Drop the samples before this time, once the baseline is taken; null: none."""
    whitening: Literal["none", "training", "training_and_test"] = "training"
    """Partitions whose noise covariance whitens an epoch (MVNN), session by session."""
    covariance: Literal["epochs", "time"] = "epochs"
    """Noise covariance over the samples of each epoch, or over the repetitions of an image at each time."""
    band: tuple[Annotated[float, Gt(0)], Annotated[float, Gt(0)]] | None = None
    """Filter of the continuous recordings before epochs are cut, (low, high) in Hz; null: none."""

    def __post_init__(self) -> None:
        if self.tmax_s <= self.tmin_s:
            raise ValueError(f"tmax_s must exceed tmin_s (found {self.tmin_s:g} to {self.tmax_s:g})")
        if self.baseline and not self.tmin_s <= 0 <= self.tmax_s:
            raise ValueError(f"baseline needs samples before the onset (found tmin_s {self.tmin_s:g})")


@dataclass(frozen=True)
class EpochOperator:
    """The samples that an epoch is cut from, and what happens to it as a matrix.

    Attributes:
        first: first sample, counted from the onset of the image, at the recording's rate.
        length: number of samples, at the recording's rate (as MNE counts them).
        matrix: (length, samples kept), to be multiplied from the right.
        times: (samples kept,) in seconds from the onset.
    """

    first: int
    length: int
    matrix: np.ndarray
    times: np.ndarray


@lru_cache
def epoch_operator(epoching: Epoching, sfreq: float) -> EpochOperator:
    """Express what happens to an epoch as a matrix: each step is linear in the samples.

    The steps are ``mne.Epochs(baseline=(None, 0))`` and ``Epochs.resample`` (FFT); one product gives their results.

    Args:
        epoching: settings.
        sfreq: sampling rate of the recording in Hz.
    """
    first = round(epoching.tmin_s * sfreq)
    length = round(epoching.tmax_s * sfreq) - first + 1
    steps = np.eye(length)
    if epoching.baseline:
        before = np.arange(length) + first <= 0
        steps -= np.outer(before / before.sum(), np.ones(length))
    if epoching.rate_hz != sfreq:
        with mne.utils.use_log_level("error"):
            steps = mne.filter.resample(steps, up=epoching.rate_hz, down=sfreq, npad="auto", pad="edge")
    times = first / sfreq + np.arange(steps.shape[1]) / epoching.rate_hz
    half = 0.5 / epoching.rate_hz
    kept = times < epoching.tmax_s - half
    if epoching.keep_from_s is not None:
        kept &= times > epoching.keep_from_s - half
    operator = EpochOperator(first, length, np.ascontiguousarray(steps[:, kept]), times[kept])
    for array in (operator.matrix, operator.times):
        array.flags.writeable = False  # kept for the next recording
    return operator
