"""The layout ``tuh``: TUSZ and TUAB, EDF files of TUH with ``.csv_bi`` or ``.csv`` beside them, or labelled by folder.

The term-based annotations (``.csv_bi``) are those of the whole recording; without them, each channel's (``.csv``).
Folders train, dev and eval give the split; a subject is the beginning of a file's name.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from eegdiffusion.core.recordings.recording_files import find_files
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.named_files import file_of_ending
from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.core.storage.text_files import read_text
from eegdiffusion.events.corpora.corpus_reader import SubjectPlace
from eegdiffusion.events.corpora.given_splits import split_named
from eegdiffusion.events.corpora.labelled_corpus import AnnotatedRecording
from eegdiffusion.events.corpora.recorded_signals import open_signals
from eegdiffusion.events.corpora.window_labels import Annotation

MOST_BYTES = 1 << 26
"""Bytes of a table of annotations."""

FOLDERS = ("normal", "abnormal")
"""Folders of TUAB that label what lies in them; an entry's values of classes do too."""


@dataclass(frozen=True)
class TuhLayout:
    """See :class:`.labelled_corpus.AnnotatedLayout`.

    Attributes:
        folders: names of folders that label the recordings in them.
    """

    folders: tuple[str, ...] = FOLDERS
    name: str = "TUH"
    warnings: list[str] = field(default_factory=list)

    def find(self, root: Path) -> tuple[list[Path], list[Problem]]:
        """List the EDF files."""
        return find_files(root, lambda name: name.lower().endswith(".edf"))

    def files_of(self, root: Path, path: Path) -> list[Path]:
        """List an EDF file and the table of its annotations that is read."""
        table = _table_of(root / path)
        return [path, table.relative_to(root)] if table else [path]

    def place(self, path: Path) -> SubjectPlace:
        """Return the subject by a file's name, and the split by its folder."""
        splits = [split for part in path.parts[:-1] if (split := split_named(part))]
        return SubjectPlace(splits[0] if splits else "", path.stem.partition("_")[0])

    def open(self, root: Path, path: Path) -> list[AnnotatedRecording]:
        """Open a recording with the annotations beside it, or its folder's."""
        signals = open_signals(root / path)
        last = signals.pieces[-1]
        end_s = last.onset_s + (last.stop_sample - last.first_sample) / signals.sfreq
        spans = self._spans(root, path, end_s)
        return [
            AnnotatedRecording("", self.place(path), signals.labels, signals.sfreq, signals.pieces, signals.read, spans)
        ]

    def _spans(self, root: Path, path: Path, end_s: float) -> list[Annotation]:
        if table := _table_of(root / path):
            return list(read_annotations(table))
        folder = next((part for part in path.parts[:-1] if part.lower() in self.folders), None)
        if folder is None:
            listed = ", ".join(self.folders)
            raise InputError(
                f"{root / path}: annotations: must be in a file {path.stem}.csv_bi or {path.stem}.csv beside it, or in "
                f"the name of a folder ({listed})"
            )
        return [Annotation(0.0, end_s, folder.lower())]


def _table_of(path: Path) -> Path | None:
    """Return the table of a recording's annotations, that of the whole recording before that of each channel."""
    return file_of_ending(path, ".csv_bi") or file_of_ending(path, ".csv")


def read_annotations(path: Path) -> Iterator[Annotation]:
    """Yield the annotations of a TUH table, one that several channels have once.

    Raises:
        InputError: it lacks a column, or a time is no number.
    """
    lines = [line for line in read_text(path, MOST_BYTES).splitlines() if line.strip() and not line.startswith("#")]
    rows = csv.DictReader(lines)
    names = [name.strip().lower() for name in rows.fieldnames or ()]
    rows.fieldnames = names
    if missing := [name for name in ("start_time", "stop_time", "label") if name not in names]:
        raise InputError(f"{path}: {', '.join(missing)}: is missing (found {', '.join(names) or 'no column'})")
    spans: dict[Annotation, None] = {}
    for number, row in enumerate(rows, 1):
        where = f"{path}, row {number}: start_time, stop_time"
        try:
            start, stop = float(row["start_time"]), float(row["stop_time"])
        except (TypeError, ValueError):
            raise InputError(f"{where}: must be numbers (found {row['start_time']}, {row['stop_time']})") from None
        if not 0 <= start <= stop < float("inf"):
            raise InputError(f"{where}: must satisfy 0 <= start <= stop (found {start:g}, {stop:g})")
        spans[Annotation(start, stop, (row["label"] or "").strip().lower())] = None
    yield from spans
