"""A corpus of recordings with annotations in any layout: checked, cut into windows, and derived the same way."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pandas

from eegdiffusion.core.recordings import amplitude
from eegdiffusion.core.recordings.channel_derivation import ChannelRecipe, DerivedChannels
from eegdiffusion.core.recordings.continuity import Piece
from eegdiffusion.core.recordings.electrode_recording import require_finite
from eegdiffusion.core.recordings.sample_digest import sample_digest
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.hashing import text_hash
from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.events.corpora.corpus_reader import ALL_CHANNELS, CheckedRecording, SampledSignals, SubjectPlace
from eegdiffusion.events.corpora.derived_pieces import derive_pieces
from eegdiffusion.events.corpora.event_corpus import WindowLabels
from eegdiffusion.events.corpora.window_labels import Annotation, LabelledWindow, label_windows

LEFT_OUT = "events left out"
"""Name of the check whose findings are annotations that no window shows."""

_LISTED = 20


class Doubt(NamedTuple):
    """What is to be said of a recording that is used: field, and what was decided."""

    field: str
    message: str


@dataclass(frozen=True)
class AnnotatedRecording:
    """A recording as the reader of a layout opens it; its samples stay on disk.

    Attributes:
        part: name of the part of the file that it is; empty where it is the whole.
        place: its subject and the split that the corpus gives.
        labels: labels of its channels.
        sfreq: sampling rate in Hz.
        pieces: its continuous pieces, each of which is filtered by itself.
        read: (rows, first, stop) -> (rows, samples) float64 in volts.
        spans: its annotations.
        windows: its windows, where the layout has cut them; None where the rule of the entry does.
        doubts: what is to be said of it.
        described_by: fingerprint of what decides its signals beside its file.
    """

    part: str
    place: SubjectPlace
    labels: list[str]
    sfreq: float
    pieces: list[Piece]
    read: Callable[[Sequence[int], int, int], np.ndarray]
    spans: list[Annotation]
    windows: list[LabelledWindow] | None = None
    doubts: list[Doubt] = field(default_factory=list)
    described_by: str = ""


class AnnotatedLayout(Protocol):
    """What a layout is known by."""

    @property
    def name(self) -> str:
        """Name of the corpus."""

    @property
    def warnings(self) -> list[str]:
        """What must be said with every number that is measured on the corpus."""

    def find(self, root: Path) -> tuple[list[Path], list[Problem]]:
        """List the recordings' files, relative to the root, and what is not read."""

    def files_of(self, root: Path, path: Path) -> list[Path]:
        """List the files that decide a recording, relative to the root; see :class:`.corpus_reader.CorpusReader`."""

    def place(self, path: Path) -> SubjectPlace | None:
        """Return subject and split by a file's place in the corpus; None where only the file says them."""

    def open(self, root: Path, path: Path) -> list[AnnotatedRecording]:
        """Open a file.

        Raises:
            InputError: it cannot be used.
        """


@dataclass(frozen=True)
class LabelledCorpus:
    """Reader of an annotated layout; see :class:`.corpus_reader.CorpusReader`.

    Attributes:
        root: folder of the corpus.
        layout: the layout.
        recipe: how the channels of the corpus's montage follow from those of its recordings.
        labels: classes, and where windows lie.
        window_s: seconds in a window.
        filtering: what preprocessing will do.
    """

    root: Path
    layout: AnnotatedLayout
    recipe: ChannelRecipe
    labels: WindowLabels
    window_s: float
    filtering: Filtering
    _windows: dict[tuple[str, str], list[LabelledWindow]] = field(default_factory=dict, repr=False)

    def __reduce__(self) -> tuple:
        """Travel to other processes without the windows."""
        return type(self), (self.root, self.layout, self.recipe, self.labels, self.window_s, self.filtering)

    @property
    def name(self) -> str:
        """Name of the corpus."""
        return self.layout.name

    @property
    def warnings(self) -> list[str]:
        """What must be said with every number that is measured on the corpus."""
        return self.layout.warnings

    def find_recordings(self) -> tuple[list[Path], list[Problem]]:
        """List the recordings' files, and what is not read.

        Raises:
            InputError: there is no such folder, or none in it.
        """
        if not self.root.is_dir():
            raise InputError(f"{self.root}: no such folder; the corpus's root in event_corpora must be one")
        paths, problems = self.layout.find(self.root)
        if not paths:
            listed = "".join(f"\n{problem.path}: {problem.message}" for problem in problems[:_LISTED])
            raise InputError(f"{self.root}: holds no recording of its layout{listed}")
        return paths, problems

    def files_of(self, path: Path) -> list[Path]:
        """List the files that decide a recording, relative to the root."""
        return self.layout.files_of(self.root, path)

    def check_file(self, path: Path) -> tuple[list[CheckedRecording], list[Problem]]:
        """Check a file by itself."""
        recordings: list[CheckedRecording] = []
        problems: list[Problem] = []
        try:
            for opened in self.layout.open(self.root, path):
                recordings.append(self._check(path, opened, problems))
        except InputError as error:
            text = str(error).removeprefix(f"{self.root / path}").lstrip(":, ")
            name, _, message = text.partition(": ")
            return [], [*problems, Problem(path.as_posix(), "recording", name if message else "file", message or text)]
        except OSError as error:
            problem = Problem(path.as_posix(), "recording", "file", f"cannot be read ({error.strerror})")
            return [], [*problems, problem]
        return recordings, problems

    def _check(self, path: Path, opened: AnnotatedRecording, problems: list[Problem]) -> CheckedRecording:
        where = self.root / path

        def warn(check: str, name: str, message: str) -> None:
            problems.append(Problem(path.as_posix(), check, name, message, "warning"))

        if opened.sfreq <= 2 * self.filtering.high_hz:
            rule = f"must exceed {2 * self.filtering.high_hz:g} Hz for the band-pass"
            raise InputError(f"{where}: sampling rate: {rule} (found {opened.sfreq:g})")
        channels = self._channels(where, opened)
        _check_amplitude(where, opened, channels)
        for doubt in opened.doubts:
            warn("recording", *doubt)
        name = path.with_suffix("").as_posix() + (f"/{opened.part}" if opened.part else "")
        windows = self._cut(opened, warn)
        if not windows:
            raise InputError(f"{where}: labels: must give the recording a window (found {_values(opened.spans)})")
        self._windows[path.as_posix(), name] = windows
        samples = sum(map(_samples, opened.pieces))
        digest = sample_digest(where)
        return CheckedRecording(
            recording=name,
            path=path.as_posix(),
            subject=opened.place.subject,
            code=None,
            partition=opened.place.partition,
            sha256=text_hash(digest, *_file_hashes(where), opened.part, opened.described_by),
            data_sha256=text_hash(digest, opened.part),
            sfreq=opened.sfreq,
            n_samples=samples,
            duration_s=samples / opened.sfreq,
            n_channels=len(opened.labels),
            n_events=len(windows),
        )

    def _cut(self, opened: AnnotatedRecording, warn: Callable[[str, str, str], None]) -> list[LabelledWindow]:
        if opened.windows is not None:
            return opened.windows
        cut = label_windows(opened.pieces, opened.sfreq, opened.spans, self.labels, self.window_s, self.filtering)
        if cut.unknown:
            listed = ", ".join(f"{value!r} ({count})" for value, count in sorted(cut.unknown.items())[:_LISTED])
            warn(LEFT_OUT, "labels", f"are of no class: {listed}")
        if cut.without:
            times = ", ".join(
                f"{span.value} at {span.start_s:g} to {span.stop_s:g} s" for span in cut.without[:_LISTED]
            )
            warn(LEFT_OUT, "labels", f"{len(cut.without)} annotations label no window: {times}")
        return cut.windows

    def _windows_of(self, recording: CheckedRecording) -> list[LabelledWindow]:
        return self._windows[recording.path, recording.recording]

    def _channels(self, path: Path, opened: AnnotatedRecording) -> DerivedChannels:
        def same(positions: Sequence[int]) -> bool:
            last = opened.pieces[-1].stop_sample
            values = opened.read(list(positions), 0, min(last, round(amplitude.SEGMENT_S * opened.sfreq)))
            return bool((values == values[0]).all())

        return self.recipe.derive(path, opened.labels, same)

    def check_corpus(self, recordings: Sequence[CheckedRecording]) -> list[Problem]:
        """Check recordings against each other: names and samples that occur twice, subjects in several splits."""
        problems: list[Problem] = []
        names: dict[str, str] = {}
        samples: dict[str, CheckedRecording] = {}
        splits: dict[str, tuple[str, str]] = {}
        for recording in recordings:
            name = names.setdefault(recording.recording, recording.path)
            if name != recording.path:
                problems.append(Problem(recording.path, "duplicate", "name", f"is that of {name} but for its ending"))
                continue
            same = samples.setdefault(recording.data_sha256, recording)
            if same != recording:
                problems.append(Problem(recording.path, "duplicate", "samples", f"are those of {same.path}"))
                continue
            split, path = splits.setdefault(recording.subject, (recording.partition, recording.path))
            if split != recording.partition:
                message = f"{recording.subject} must stand in one split (in {split or 'none'} by {path})"
                problems.append(Problem(recording.path, "leakage", "subject", message))
        return problems

    def subjects(self, paths: Sequence[Path], recordings: Sequence[CheckedRecording]) -> list[SubjectPlace]:
        """Return the subjects by the files' places, and by the recordings where only these say them."""
        of_recordings = [SubjectPlace(recording.partition, recording.subject) for recording in recordings]
        known = {place.subject for place in of_recordings}
        places = [place for path in paths if (place := self.layout.place(path)) and place.subject not in known]
        return sorted({*of_recordings, *places})

    def class_names(self, recordings: Sequence[CheckedRecording]) -> list[str]:
        """Return the classes in the entry's order, or those that occur, sorted; the background comes last."""
        names = list(self.labels.classes)
        if not names:
            used = {window.label for recording in recordings for window in self._windows_of(recording)}
            names = sorted(used - {self.labels.background or ""})
        background = self.labels.background
        return [*names, background] if background and background not in names else names

    def events(self, recordings: Sequence[CheckedRecording]) -> pandas.DataFrame:
        """Return the windows of usable recordings as events of all channels."""
        label_of = {name: k for k, name in enumerate(self.class_names(recordings))}
        rows = [
            {
                "recording": recording.recording,
                "row": row,
                "channel": ALL_CHANNELS,
                "start_s": window.start_s,
                "stop_s": window.stop_s,
                "label": label_of[window.label],
                "start_sample": window.start_sample,
            }
            for recording in recordings
            for row, window in enumerate(self._windows_of(recording))
        ]
        return pandas.DataFrame(rows).astype({"channel": "int8", "label": "int8"})

    def _open_part(self, path: Path, recording: str) -> AnnotatedRecording:
        part = recording.removeprefix(path.with_suffix("").as_posix()).lstrip("/")
        return next(opened for opened in self.layout.open(self.root, path) if opened.part == part)

    def sample(self, recording: CheckedRecording) -> SampledSignals:
        """Read segments of the channels that the montage needs."""
        path = Path(recording.path)
        opened = self._open_part(path, recording.recording)
        channels = self._channels(self.root / path, opened)
        segments = _read_segments(opened, channels.rows)
        return SampledSignals(segments, opened.sfreq, channels.recorded, opened.labels)

    def derive(self, path: Path, recording: str, filtering: Filtering) -> np.ndarray:
        """Filter, resample and derive each piece of a recording by itself."""
        opened = self._open_part(path.relative_to(self.root), recording)
        channels = self._channels(path, opened)
        return derive_pieces(opened.read, opened.pieces, opened.sfreq, channels, filtering)


def _file_hashes(path: Path) -> list[str]:
    """Return the SHA-256 of a file, and of EEGLAB's samples beside it."""
    hashes = []
    for file in (path, path.with_suffix(".fdt")):
        if file.is_file():
            with file.open("rb") as content:
                hashes.append(hashlib.file_digest(content, "sha256").hexdigest())
    return hashes


def _values(spans: Sequence[Annotation]) -> str:
    values = sorted({span.value for span in spans})
    return ", ".join(map(repr, values[:_LISTED])) or "no annotation"


def _read_segments(opened: AnnotatedRecording, rows: Sequence[int]) -> np.ndarray:
    """Read segments of some channels, spread over the longest piece, or over the pieces where they are short.

    Returns:
        (segments, channels, samples) in microvolts.
    """
    longest = max(opened.pieces, key=_samples)
    wanted = amplitude.SEGMENTS * amplitude.SEGMENT_S * opened.sfreq
    if len(opened.pieces) == 1 or _samples(longest) >= wanted:

        def read(start: int, stop: int) -> np.ndarray:
            return opened.read(rows, longest.first_sample + start, longest.first_sample + stop)

        return amplitude.read_segments(read, _samples(longest), opened.sfreq) * 1e6
    length = min(_samples(longest), round(amplitude.SEGMENT_S * opened.sfreq))
    pieces = [piece for piece in opened.pieces if _samples(piece) >= length]
    places = np.unique(np.linspace(0, len(pieces) - 1, math.ceil(wanted / length)).astype(int))
    firsts = [pieces[place].first_sample for place in places]
    return np.stack([opened.read(rows, first, first + length) for first in firsts]) * 1e6


def _samples(piece: Piece) -> int:
    return piece.stop_sample - piece.first_sample


def _check_amplitude(path: Path, opened: AnnotatedRecording, channels: DerivedChannels) -> None:
    """Check that the channels that are used have numbers throughout, and the amplitude of EEG."""
    segments = _read_segments(opened, channels.rows)
    require_finite(path, channels.recorded, np.isfinite(segments).all(axis=(0, 2)))
    amplitude.require_eeg_amplitude(segments, channels.recorded, f"{path}: unit")
