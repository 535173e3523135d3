"""What the reader of a layout gives: recordings with their subjects, the windows of each, and its signals."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pandas

from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.core.storage.problems import Problem

ALL_CHANNELS = -1
"""Stands for the channel of an event that is one of the whole recording."""


@dataclass(frozen=True)
class CheckedRecording:
    """A recording of the corpus, as far as the checks know it.

    Attributes:
        recording: name within the corpus: the path without suffix, and the part of a file that holds several.
        path: path of its file, relative to the corpus.
        subject: whose it is; splits are by subject.
        code: another name of the subject that the file itself has, such as TUH's code in the EDF header.
        partition: split that the corpus gives, as the layout calls it; empty where it gives none.
        sha256: of the file, or of the part of it.
        data_sha256: of its samples alone.
        sfreq: sampling rate in Hz.
        n_samples, duration_s, n_channels, n_events: counts.
    """

    recording: str
    path: str
    subject: str
    code: str | None
    partition: str
    sha256: str
    data_sha256: str
    sfreq: float
    n_samples: int
    duration_s: float
    n_channels: int
    n_events: int


class SubjectPlace(NamedTuple):
    """Whose a recording is, as its place in the corpus says, whether or not it is usable.

    Attributes:
        partition: split that the corpus gives: ``train``, ``validation`` or ``test``; empty where it gives none.
        subject: name of the subject.
    """

    partition: str
    subject: str


class SampledSignals(NamedTuple):
    """A few segments of a recording, as it was recorded.

    Attributes:
        segments: (segments, electrodes, samples) in microvolts.
        sfreq: sampling rate in Hz.
        electrodes: what is recorded in the channels that the montage needs.
        channels: names of all channels of the recording.
    """

    segments: np.ndarray
    sfreq: float
    electrodes: list[str]
    channels: list[str]


class CorpusReader(Protocol):
    """Reader of a layout; the recipe that it is opened with says how recordings become channels of the montage."""

    @property
    def name(self) -> str:
        """Name of the corpus, where ``corpus.json`` beside it does not say another."""

    @property
    def warnings(self) -> list[str]:
        """What must be said with every number that is measured on the corpus."""

    @property
    def window_s(self) -> float:
        """Seconds in a window."""

    def find_recordings(self) -> tuple[list[Path], list[Problem]]:
        """List the recordings' files, relative to the root, and what is not read.

        Raises:
            InputError: the root does not hold a corpus of this layout.
        """

    def files_of(self, path: Path) -> list[Path]:
        """List the files that decide a recording, relative to the root.

        Its own come first, then those of its labels and what describes it; some may not be there yet. What is below
        the root and of no recording is not read.

        Args:
            path: file of the recording, relative to the root.
        """

    def check_file(self, path: Path) -> tuple[list[CheckedRecording], list[Problem]]:
        """Check a file by itself: the usable recordings in it, and all findings; one with an error has none."""

    def check_corpus(self, recordings: Sequence[CheckedRecording]) -> list[Problem]:
        """Check recordings against each other: copies, and subjects in several splits."""

    def subjects(self, paths: Sequence[Path], recordings: Sequence[CheckedRecording]) -> list[SubjectPlace]:
        """Return the subjects among which splits are drawn: those of unusable files too, where places tell them."""

    def class_names(self, recordings: Sequence[CheckedRecording]) -> list[str]:
        """Return the names of the labels 0, 1, ..."""

    def events(self, recordings: Sequence[CheckedRecording]) -> pandas.DataFrame:
        """Return the events of usable recordings.

        Returns:
            recording, row, channel (int8, ``ALL_CHANNELS`` for the whole recording), start_s, stop_s, label (int8,
            0-based); and start_sample, the first sample of the window in the preprocessed recording, but for TUEV,
            whose rule of windows is its own.
        """

    def sample(self, recording: CheckedRecording) -> SampledSignals:
        """Read a few segments of a usable recording, spread over it."""

    def derive(self, path: Path, recording: str, filtering: Filtering) -> np.ndarray:
        """Filter, resample and derive a recording: (channels, samples) float64 in units of 100 uV."""
