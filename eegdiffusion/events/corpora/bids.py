"""The layout ``bids``: a tree of EEG-BIDS whose ``events.tsv`` have a column to label by.

``channels.tsv`` says what channels are, their units and which are bad; a column ``split`` of ``participants.tsv`` gives
the split. EEG-BIDS 1.10 (Pernet et al., Scientific Data 2019).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from eegdiffusion.core.recordings.bids_files import FORMATS, entities, find_bids_recordings, find_sidecar
from eegdiffusion.core.recordings.recording_copies import files_of, first_parts
from eegdiffusion.core.recordings.scalp_recording import open_scalp_recording
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.hashing import text_hash
from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.core.storage.text_files import read_tsv
from eegdiffusion.events.corpora.corpus_reader import SubjectPlace
from eegdiffusion.events.corpora.given_splits import require_split
from eegdiffusion.events.corpora.labelled_corpus import AnnotatedRecording
from eegdiffusion.events.corpora.recorded_signals import annotated_recording
from eegdiffusion.events.corpora.window_labels import Annotation

PARTICIPANTS = "participants.tsv"
"""Table of the subjects, in the root."""

_NO_VALUE = ("n/a", "N/A", "")


@dataclass(frozen=True)
class BidsLayout:
    """See :class:`.labelled_corpus.AnnotatedLayout`.

    Attributes:
        column: column of ``events.tsv`` that holds the values to label by.
        splits: split of each subject, by ``participants.tsv``.
    """

    column: str
    splits: dict[str, str]
    name: str = "BIDS"
    warnings: list[str] = field(default_factory=list)

    def find(self, root: Path) -> tuple[list[Path], list[Problem]]:
        """List the recordings, each once."""
        paths, problems = find_bids_recordings(root, (*FORMATS, ".fif", ".fif.gz"))
        paths, headless = first_parts(root, [path.relative_to(root) for path in paths])
        return paths, problems + headless

    def files_of(self, root: Path, path: Path) -> list[Path]:
        """List the files of a recording, and the tables of its events, its channels and its subject."""
        tables = [find_sidecar(root / path, root, suffix, ".tsv") for suffix in ("events", "channels")]
        participants = root / PARTICIPANTS
        described_by = [*tables, participants if participants.is_file() else None]
        files = [*files_of(root / path), *(table for table in described_by if table is not None)]
        return [file.relative_to(root) for file in files]

    def place(self, path: Path) -> SubjectPlace:
        """Return the subject of a recording's name, and its split."""
        subject = f"sub-{entities(path.name)['sub']}"
        return SubjectPlace(self.splits.get(subject, ""), subject)

    def open(self, root: Path, path: Path) -> list[AnnotatedRecording]:
        """Open a recording with the rows of its ``events.tsv``."""
        events = find_sidecar(root / path, root, "events", ".tsv")
        if events is None:
            raise InputError(f"{root / path}: events: there is no events.tsv for the recording")
        table = find_sidecar(root / path, root, "channels", ".tsv")
        recording = open_scalp_recording(root / path, table)
        spans = list(read_spans(events, self.column))
        described_by = text_hash(table.read_bytes().hex()) if table else ""
        return [annotated_recording(recording, self.place(path), spans, described_by)]


def read_spans(path: Path, column: str) -> Iterator[Annotation]:
    """Yield the events of an ``events.tsv`` that have a value in a column.

    Raises:
        InputError: it lacks a column, or a time is no number of seconds.
    """
    table = read_tsv(path, missing=_NO_VALUE, trim=True)
    table.columns = [str(name).strip() for name in table]
    for name in ("onset", column):
        if name not in table:
            raise InputError(f"{path}: {name}: is missing (found {', '.join(table)})")
    for number, row in enumerate(table.to_dict("records"), 2):
        value = row[column]
        if not isinstance(value, str):
            continue
        onset = _seconds(row["onset"], f"{path}, line {number}: onset")
        duration = row.get("duration")
        seconds = _seconds(duration, f"{path}, line {number}: duration") if isinstance(duration, str) else 0.0
        if seconds < 0:
            raise InputError(f"{path}, line {number}: duration: must not be negative (found {duration})")
        yield Annotation(onset, onset + seconds, value.strip())


def _seconds(text: object, where: str) -> float:
    try:
        seconds = float(str(text).strip().replace(",", "."))
    except ValueError:
        seconds = float("nan")
    if not abs(seconds) < float("inf"):
        raise InputError(f"{where}: must be a number of seconds (found {text!r})")
    return seconds


def read_splits(root: Path) -> dict[str, str]:
    """Return the split of each subject, by the column ``split`` of ``participants.tsv``, where there is one.

    A subject may be called without its ``sub-``.

    Raises:
        InputError: a cell names no split, or a subject has several.
    """
    path = root / PARTICIPANTS
    if not path.is_file():
        return {}
    table = read_tsv(path, trim=True)
    table.columns = [str(name).strip().lower() for name in table]
    if "split" not in table or "participant_id" not in table:
        return {}
    splits: dict[str, str] = {}
    for k, row in enumerate(table[["participant_id", "split"]].fillna("").to_dict("records"), 2):
        subject = f"sub-{row['participant_id'].strip().removeprefix('sub-')}"
        split = require_split(row["split"], f"{path}, line {k}: split")
        if splits.setdefault(subject, split) != split:
            raise InputError(f"{path}, line {k}: split: must be one for {subject} (found {splits[subject]!r} before)")
    return splits
