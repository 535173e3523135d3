"""The common form of all corpora of EEG recorded while images are seen."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.band import band_sections, settling_samples
from eegdiffusion.core.storage.problems import Problem

PARTITIONS = ("training", "validation", "test")
"""Partitions of images, as the corpora name them."""


class Trials(Protocol):
    """The signals of a block's trials."""

    def inside(self, first: int, length: int) -> np.ndarray:
        """Tell which trials have ``length`` samples from ``first`` on, counted from the onset: (trials,) bool."""

    def read(self, trials: np.ndarray, first: int, length: int) -> np.ndarray:
        """Read samples of trials.

        Args:
            trials: (trials,) indices of trials that have all of these samples; see :meth:`inside`.
            first: first sample, counted from the onset.
            length: number of samples.

        Returns:
            (trials, channels, length), in microvolts where the corpus has a unit.
        """


@dataclass(frozen=True)
class Block:
    """Trials of one subject and session.

    Attributes:
        subject: name of the subject, ``sub-XX``.
        session: label of the session, ``01`` of ``ses-01``; None where the files do not tell it.
        source: path of the file, relative to the corpus.
        image: (trials,) row in the corpus's table of images, in the order of the trials.
        channels: names of the electrodes, in the order of the signals.
        sfreq: sampling rate in Hz.
        trials: signals of the trials.
        times: (samples,) seconds from the onset, where the epochs come cut and whitened, and are read as they are;
            None of a continuous recording.
        problems: what was left out of the recording, or decided against what its files say.
        separable: whether the others of the subject can be used without it; parts of one session cannot.
        task: (trials,) what the person did with the image, ``perception``, ``imagery`` or the corpus's own word; None
            where the corpus does not tell it.
    """

    subject: str
    session: str | None
    source: str
    image: np.ndarray
    channels: list[str]
    sfreq: float
    trials: Trials
    times: np.ndarray | None = None
    problems: list[Problem] = field(default_factory=list)
    separable: bool = False
    task: np.ndarray | None = None


@dataclass(frozen=True)
class Corpus:
    """A corpus as the reader of its layout sees it; signals stay on disk until they are read.

    Attributes:
        layout: layout of the files.
        images: table with a row for each image: name, concept, partition, file (absolute, or None where images are not
            distributed).
        files: files that the epochs of each subject come from, by subject.
        read: function from the name of a subject to its blocks.
        problems: defects of the corpus.
        warnings: sentences that must stand beside every number made from the corpus.
        listings: files that say which images there are and what each is, where those of the subjects do not.
    """

    layout: str
    images: pandas.DataFrame
    files: dict[str, list[Path]]
    read: Callable[[str], list[Block]]
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    listings: list[Path] = field(default_factory=list)


MOST_UNREADABLE = 0.5
"""Largest share of a subject's recordings that may be unusable: more, and the subject is left out."""


def read_blocks(paths: Sequence[Path], read: Callable[[Path], Block], root: Path) -> list[Block]:
    """Read the recordings of a subject; one that cannot be used costs itself alone, and is said.

    Args:
        paths: their files.
        read: reader of one of them.
        root: folder of the corpus.

    Returns:
        the usable ones' blocks; the first one's problems name the others.

    Raises:
        InputError: more than ``MOST_UNREADABLE`` of them cannot be used; the message says why of each.
    """
    blocks: list[Block] = []
    unusable: list[Problem] = []
    for path in paths:
        try:
            blocks.append(read(path))
        except InputError as error:
            unusable.append(Problem(path.relative_to(root).as_posix(), "recordings", "file", str(error)))
    require_most(len(unusable), len(paths), [problem.message for problem in unusable])
    blocks[0].problems.extend(unusable)
    return blocks


def require_most(unusable: int, total: int, reasons: Sequence[str]) -> None:
    """Refuse a subject of whose recordings too many cannot be used.

    Raises:
        InputError: more than ``MOST_UNREADABLE`` of them; the message gives the reasons.
    """
    if unusable > MOST_UNREADABLE * total or unusable == total:
        counted = f"{unusable} of {total} recordings cannot be used: " if total > 1 else ""
        raise InputError(f"{counted}{'; '.join(reasons)}")


class Continuous:
    """Trials of a recording that is continuous, or is but for pauses.

    Args:
        cut: (start, stop) -> (channels, samples) in microvolts.
        onsets: (trials,) sample of each onset.
        samples: length of the recording.
        edges: samples at which the recording resumed after a pause, ascending; no epoch and no filter runs over one.
    """

    def __init__(
        self, cut: Callable[[int, int], np.ndarray], onsets: np.ndarray, samples: int, edges: Sequence[int] = ()
    ):
        self._cut, self._onsets, self._samples = cut, onsets, samples
        self._edges = np.array([0, *edges, samples])

    @property
    def step(self) -> float:
        """Median number of samples from a trial to the next; NaN of a single trial."""
        return float(np.median(np.diff(np.sort(self._onsets)))) if len(self._onsets) > 1 else float("nan")

    def inside(self, first: int, length: int) -> np.ndarray:
        """Tell which trials lie within a piece of the recording, (trials,) bool; see :meth:`Trials.inside`."""
        start = self._onsets + first
        stop = start + length
        last = np.searchsorted(self._edges, start, side="right")
        end = self._edges[np.minimum(last, len(self._edges) - 1)]
        return (start >= 0) & (stop <= end)

    def over_pauses(self, first: int, length: int) -> np.ndarray:
        """Tell which trials lie within the recording, but run over a pause of it, (trials,) bool."""
        start = self._onsets + first
        return (start >= 0) & (start + length <= self._samples) & ~self.inside(first, length)

    def filtered(self, low_hz: float, high_hz: float, sfreq: float) -> "Continuous":
        """Return the same trials of the recording after a zero-phase band filter.

        Each stretch is filtered with so much of the recording around it that its edges do not matter, but for pauses.

        Args:
            low_hz: lower edge of the band.
            high_hz: upper edge of the band.
            sfreq: sampling rate in Hz.

        Raises:
            InputError: the band does not lie between 0 and half the sampling rate.
        """
        from scipy.signal import sosfiltfilt

        sections, around = band_sections(low_hz, high_hz, sfreq), settling_samples(low_hz, high_hz, sfreq)

        def cut_piece(start: int, stop: int, first: int, last: int) -> np.ndarray:
            begin, end = max(first, start - around), min(last, stop + around)
            filtered = sosfiltfilt(sections, self._cut(begin, end), axis=1, padlen=min(around, end - begin - 1))
            return filtered[:, start - begin : stop - begin]

        def cut(start: int, stop: int) -> np.ndarray:
            parts = [
                cut_piece(max(start, first), min(stop, last), first, last)
                for first, last in pairwise(self._edges.tolist())
                if first < stop and start < last
            ]
            return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

        return Continuous(cut, self._onsets, self._samples, self._edges[1:-1].tolist())

    def read(self, trials: np.ndarray, first: int, length: int) -> np.ndarray:
        """Read samples of trials, (trials, channels, length) microvolts; see :meth:`Trials.read`."""
        starts = self._onsets[trials] + first
        begin, end = int(starts.min()), int(starts.max()) + length
        if end - begin <= 4 * length * len(trials):  # trials that follow each other: one read
            part = self._cut(begin, end)
            return np.stack([part[:, start - begin : start - begin + length] for start in starts])
        return np.stack([self._cut(int(start), int(start) + length) for start in starts])


def pick_channels(channels: list[str], pattern: str | None, standard: list[str], where: str) -> list[int]:
    """Choose the channels of a recording.

    Args:
        channels: names of the recording's channels.
        pattern: regular expression that the beginning of a chosen name matches; None: all are chosen.
        standard: names of the layout's channels in their usual order, which is taken where all are chosen and the
            recording has just these.
        where: subject or file, for the error.

    Returns:
        indices of the chosen channels.

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


def natural_order(label: str | None) -> list[tuple[int, int, str]]:
    """Return a key that sorts labels as people do: none first, ``2`` before ``10``, ``01`` before ``01b``."""
    parts = re.findall(r"\d+|\D+", label or "")
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def subject_name(text: str, where: Path) -> str:
    """Return the ``sub-XX`` in a path's part.

    Raises:
        InputError: there is none.
    """
    match = re.search(r"sub-[A-Za-z0-9+]+", text)
    if not match:
        raise InputError(f"{where}: must lie in or be named after a subject, sub-XX")
    return match[0]
