"""The layout ``chbmit``: CHB-MIT of PhysioNet (Shoeb 2009), by two protocols.

``events``: recordings are continuous, windows are labelled by what they share with a seizure, and one person is one
subject. ``paper``: the windows of the literature (BIOT, CBraMod, EEGDM), each preprocessed by itself, with its labels
and its split.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from eegdiffusion.core.recordings.continuity import Piece
from eegdiffusion.core.recordings.recording_files import find_files
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.hashing import text_hash
from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.events.corpora.chbmit_summary import SummaryEntry, read_seizure_file, read_summary
from eegdiffusion.events.corpora.corpus_reader import SubjectPlace
from eegdiffusion.events.corpora.event_corpus import WindowLabels
from eegdiffusion.events.corpora.labelled_corpus import AnnotatedRecording, Doubt
from eegdiffusion.events.corpora.recorded_signals import RecordedSignals, open_signals
from eegdiffusion.events.corpora.window_labels import Annotation, LabelledWindow, preprocessed_offsets

BACKGROUND, SEIZURE = "background", "seizure"

LABELS = WindowLabels(classes={BACKGROUND: [], SEIZURE: [SEIZURE]}, background=BACKGROUND)
"""Classes of an entry that says none: 0 is the background, 1 a seizure."""

SAME_PERSON = {"chb21": "chb01"}
"""Cases that are another case's person, recorded again."""

PAPER_WINDOW_S, PAPER_STRIDE_S, PAPER_MARGIN_S = 10.0, 5.0, 1.0
"""Windows of the literature, the stride of those that are added at seizures, and how far these reach beyond them."""

PAPER_SPLITS = {"chb21": "validation", "chb22": "validation", "chb23": "test", "chb24": "test"}
PAPER_LEFT_OUT = ("chb12", "chb13", "chb17")

PAPER_WARNINGS = [
    "CHB-MIT by the papers' protocol: chb21, which validates, is the person of chb01, which trains",
    "CHB-MIT by the papers' protocol: a window that lies wholly inside a seizure counts as none, and windows at "
    "seizures are added to validation and test too",
]

SAME_S = 2.0
"""Seconds by which the summary and the annotation file may differ in a seizure's time."""

_CASE = re.compile(r"(chb\d{2})", re.IGNORECASE)


@dataclass(frozen=True)
class ChbMitLayout:
    """See :class:`.labelled_corpus.AnnotatedLayout`."""

    protocol: Literal["events", "paper"]
    filtering: Filtering

    @property
    def name(self) -> str:
        """Name of the corpus with its protocol."""
        return "CHB-MIT" if self.protocol == "events" else "CHB-MIT (papers' protocol)"

    @property
    def warnings(self) -> list[str]:
        """What must be said with every number by the papers' protocol."""
        return PAPER_WARNINGS if self.protocol == "paper" else []

    def find(self, root: Path) -> tuple[list[Path], list[Problem]]:
        """List the EDF files; the papers' protocol leaves three cases out."""
        files, problems = find_files(root, lambda name: name.lower().endswith(".edf"))
        problems += list(_without_recording(root, files))
        if self.protocol == "events":
            return files, problems
        kept = [path for path in files if case_of(path) not in PAPER_LEFT_OUT]
        for case in sorted({case for path in files if (case := case_of(path)) in PAPER_LEFT_OUT}):
            message = f"is left out, as the papers leave out {', '.join(PAPER_LEFT_OUT)}"
            problems.append(Problem(case, "protocol", "case", message, "warning"))
        return kept, problems

    def files_of(self, root: Path, path: Path) -> list[Path]:
        """List an EDF file, its annotation file and the summary of its case."""
        try:
            summary = [_summary_of(root / path)]
        except InputError:  # said when the recording is opened
            summary = []
        seizures = _seizure_file(root / path)
        return [file.relative_to(root) for file in (root / path, seizures, *summary) if file is not None]

    def place(self, path: Path) -> SubjectPlace:
        """Return the person and the split of a recording."""
        case = case_of(path)
        if self.protocol == "paper":
            return SubjectPlace(PAPER_SPLITS.get(case, "train"), case)
        return SubjectPlace("", SAME_PERSON.get(case, case))

    def open(self, root: Path, path: Path) -> list[AnnotatedRecording]:
        """Open a recording with the seizures of its summary."""
        summary = _summary_of(root / path)
        entries = {name.casefold(): entry for name, entry in read_summary(summary).items()}
        entry = entries.get(path.name.casefold())
        if entry is None:
            raise InputError(f"{summary}: File Name: must have {path.name}, which lies beside it")
        signals = open_signals(root / path)
        doubts = list(_doubts(root / path, entry, signals))
        spans = [Annotation(start, end, SEIZURE) for start, end in entry.seizures]
        place = self.place(path)
        if self.protocol == "events":
            return [
                AnnotatedRecording(
                    "", place, signals.labels, signals.sfreq, signals.pieces, signals.read, spans, doubts=doubts
                )
            ]
        samples = signals.pieces[-1].stop_sample
        cut = list(paper_windows(samples, signals.sfreq, entry.seizures))
        length = round(PAPER_WINDOW_S * signals.sfreq)
        if short := sum(start + length > samples for start, _ in cut):
            doubts.append(Doubt("windows", f"{short} windows at seizures end after the recording, and are left out"))
        whole = [(start, label) for start, label in cut if start + length <= samples]
        pieces = [Piece(start, start + length, start / signals.sfreq) for start, _ in whole]
        offsets = preprocessed_offsets(pieces, signals.sfreq, self.filtering)
        windows = [
            LabelledWindow(first, piece.onset_s, piece.onset_s + PAPER_WINDOW_S, label)
            for (first, _), piece, (_, label) in zip(offsets, pieces, whole, strict=True)
        ]
        return [
            AnnotatedRecording(
                part="",
                place=place,
                labels=signals.labels,
                sfreq=signals.sfreq,
                pieces=pieces,
                read=signals.read,
                spans=spans,
                windows=windows,
                doubts=doubts,
                described_by=text_hash([piece.first_sample for piece in pieces]),
            )
        ]


def paper_windows(samples: int, rate_hz: float, seizures: list[tuple[float, float]]) -> Iterator[tuple[int, str]]:
    """Yield first sample and class of the literature's windows of a recording.

    Those side by side are of a seizure where a bound of one lies strictly inside; then those that are added, each
    five seconds, from a second before a seizure to a second after it, are of one. The last may end too late.

    Args:
        samples: length of the recording.
        rate_hz: its sampling rate.
        seizures: start and end in seconds.
    """
    length = round(PAPER_WINDOW_S * rate_hz)
    bounds = [(round(start * rate_hz) - 1, round(end * rate_hz) - 1) for start, end in seizures]
    for start in range(0, samples - length + 1, length):
        inside = any(start < bound < start + length for pair in bounds for bound in pair)
        yield start, SEIZURE if inside else BACKGROUND
    margin = round(PAPER_MARGIN_S * rate_hz)
    for first, last in bounds:
        for start in range(max(0, first - margin), min(last + margin, samples), round(PAPER_STRIDE_S * rate_hz)):
            yield start, SEIZURE


def case_of(path: Path) -> str:
    """Return the case of a recording, such as chb17 for ``chb17/chb17a_03.edf``, by its name or its folder.

    Raises:
        InputError: neither names one.
    """
    for part in reversed(path.parts):
        if match := _CASE.match(part):
            return match[1].lower()
    raise InputError(f"{path}: path: must have the case, such as chb01")


def _summary_of(path: Path) -> Path:
    """Return the summary beside a recording: of its case, or the only one."""
    summaries = sorted(file for file in path.parent.iterdir() if file.name.lower().endswith("-summary.txt"))
    own = [file for file in summaries if file.name.lower().startswith(case_of(Path(path.name)))] or summaries
    if len(own) != 1:
        names = ", ".join(file.name for file in summaries) or "none"
        raise InputError(f"{path}: summary: must lie beside it, as {case_of(path)}-summary.txt (found {names})")
    return own[0]


def _without_recording(root: Path, files: list[Path]) -> Iterator[Problem]:
    """Warn of recordings that a summary names and that are not there."""
    for folder in sorted({path.parent for path in files}):
        recorded = {path.name.casefold() for path in files if path.parent == folder}
        for summary in sorted((root / folder).glob("*-[sS]ummary.txt")):
            try:
                lacking = sorted(name for name in read_summary(summary) if name.casefold() not in recorded)
            except InputError:  # each recording's reader says why
                continue
            if lacking:
                message = f"names recordings that are not there: {', '.join(lacking)}"
                yield Problem(summary.relative_to(root).as_posix(), "files", "File Name", message, "warning")


def _doubts(path: Path, entry: SummaryEntry, signals: RecordedSignals) -> Iterator[Doubt]:
    """Yield what the summary, the recording and its annotation file do not agree in."""
    duration_s = signals.pieces[-1].stop_sample / signals.sfreq
    for start, end in entry.seizures:
        if end > duration_s:
            yield Doubt("seizures", f"{start:g} to {end:g} s reaches beyond the recording of {duration_s:g} s")
    if entry.duration_s is not None and abs(entry.duration_s - duration_s) > 60 and duration_s < 86400:
        yield Doubt("duration", f"is {duration_s:g} s, and {entry.duration_s:g} s by the summary's times")
    named = {_plain(label) for label in entry.channels}
    if lacking := sorted(named - {_plain(label) for label in signals.labels}):
        yield Doubt("channels", f"of the summary are not in the recording: {', '.join(lacking)}")
    file = _seizure_file(path)
    if file is None:
        return
    binary = read_seizure_file(file, signals.sfreq)
    agree = len(binary) == len(entry.seizures) and all(
        abs(a - b) <= SAME_S
        for own, other in zip(binary, entry.seizures, strict=False)
        for a, b in zip(own, other, strict=True)
    )
    if not agree:
        listed = [
            ", ".join(f"{start:g} to {end:g} s" for start, end in times) or "none" for times in (entry.seizures, binary)
        ]
        yield Doubt("seizures", f"of the summary are taken ({listed[0]}); those of {file.name} are {listed[1]}")


def _seizure_file(path: Path) -> Path | None:
    file = path.with_name(f"{path.name}.seizures")
    return file if file.is_file() else None


def _plain(label: str) -> str:
    """Return a label but for the number that a repeated one gets; empty for a void channel."""
    return re.sub(r"-\d$", "", label.strip().upper()).strip("-. ")
