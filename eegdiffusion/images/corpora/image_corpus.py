"""What every corpus of EEG recorded while images are seen is read as."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas
from scipy.signal import sosfiltfilt

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.band import band_sections, settling_samples
from eegdiffusion.core.storage.problems import Problem

PARTITIONS = ("training", "validation", "test")

IMAGE_FILES = {".jpg", ".jpeg", ".png", ".svg", ".bmp", ".webp"}


class Trials(Protocol):
    """The signals of a block's trials."""

    def inside(self, first: int, length: int) -> np.ndarray:
        """Tell of each trial whether it has these samples, counted from the onset: (trials,) bool."""

    def read(self, trials: np.ndarray, first: int, length: int) -> np.ndarray:
        """Read samples of trials, all of them inside: (trials, channels, length), in microvolts if there is a unit."""


@dataclass(frozen=True)
class Block:
    """Trials of one subject and session.

    Attributes:
        subject: name.
        session: number, or None where the files do not tell it.
        source: file, relative to the corpus.
        image: (trials,) row in the corpus's table of images, in the order of the trials.
        channels: electrodes.
        sfreq: in Hz.
        trials: their signals.
        times: of the samples in seconds, where the epochs come cut and whitened: trials are then read whole.
    """

    subject: str
    session: int | None
    source: str
    image: np.ndarray
    channels: list[str]
    sfreq: float
    trials: Trials
    times: np.ndarray | None = None


@dataclass(frozen=True)
class Corpus:
    """A corpus as its reader found it.

    Attributes:
        layout: of its files.
        images: a row an image: name, concept, partition, file (absolute, or None where images are not distributed).
        files: of each subject, those that its epochs come from.
        read: subject -> its blocks.
        problems: what is wrong.
        warnings: what must be said beside every number made from it.
    """

    layout: str
    images: pandas.DataFrame
    files: dict[str, list[Path]]
    read: Callable[[str], list[Block]]
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Continuous:
    """Trials of a continuous recording.

    Args:
        cut: (start, stop) -> (channels, samples) in microvolts.
        onsets: (trials,) sample of each onset.
        samples: length of the recording.
    """

    def __init__(self, cut: Callable[[int, int], np.ndarray], onsets: np.ndarray, samples: int):
        self._cut, self._onsets, self._samples = cut, onsets, samples

    def inside(self, first: int, length: int) -> np.ndarray:
        return (self._onsets + first >= 0) & (self._onsets + first + length <= self._samples)

    def filtered(self, low_hz: float, high_hz: float, sfreq: float) -> "Continuous":
        """Return the same trials of the recording after a zero-phase band filter.

        Each stretch is filtered with so much of the recording around it that its edges do not matter.

        Raises:
            InputError: the band does not lie between 0 and half the sampling rate.
        """
        sections, around = band_sections(low_hz, high_hz, sfreq), settling_samples(low_hz, high_hz, sfreq)

        def cut(start: int, stop: int) -> np.ndarray:
            begin, end = max(0, start - around), min(self._samples, stop + around)
            filtered = sosfiltfilt(sections, self._cut(begin, end), axis=1, padlen=min(around, end - begin - 1))
            return filtered[:, start - begin : stop - begin]

        return Continuous(cut, self._onsets, self._samples)

    def read(self, trials: np.ndarray, first: int, length: int) -> np.ndarray:
        starts = self._onsets[trials] + first
        begin, end = int(starts.min()), int(starts.max()) + length
        if end - begin <= 4 * length * len(trials):  # trials that follow each other: one read
            part = self._cut(begin, end)
            return np.stack([part[:, start - begin : start - begin + length] for start in starts])
        return np.stack([self._cut(int(start), int(start) + length) for start in starts])


def pick(channels: list[str], pattern: str | None, standard: list[str], where: str) -> list[int]:
    """Choose channels.

    Args:
        channels: of the recording.
        pattern: regular expression for the beginning of a name, in the recording's order; None: all.
        standard: order of all channels, where the recording has just these.
        where: begins the error.

    Raises:
        InputError: no channel matches.
    """
    if pattern is None:
        names = standard if sorted(standard) == sorted(channels) else channels
        return [channels.index(name) for name in names]
    chosen = [k for k, name in enumerate(channels) if re.match(pattern, name)]
    if not chosen:
        raise InputError(f"{where}: channels: no channel matches {pattern!r} (found {', '.join(channels)})")
    return chosen


def subject_name(text: str, where: Path) -> str:
    """Return the ``sub-XX`` in a path's part.

    Raises:
        InputError: there is none.
    """
    match = re.search(r"sub-[A-Za-z0-9]+", text)
    if not match:
        raise InputError(f"{where}: must lie in or be named after a subject, sub-XX")
    return match[0]
