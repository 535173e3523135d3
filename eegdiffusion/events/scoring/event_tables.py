"""Events of one recording, as people and programs write them: tables, TUEV's ``.rec``, annotations of EDF+."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eegdiffusion.core.recordings.edf_header import read_header
from eegdiffusion.core.recordings.recording_files import list_files
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.named_files import file_of_ending
from eegdiffusion.core.storage.text_files import read_json, read_text, read_tsv
from eegdiffusion.events.corpora import tuev, tuh
from eegdiffusion.events.corpora.bids import read_spans
from eegdiffusion.events.corpora.window_labels import Annotation
from eegdiffusion.events.prediction.event_list import UNUSABLE

NO_EVENT = frozenset({"bckg", "background", "null", "n/a", "normal", UNUSABLE})
"""Labels, in lower case, of stretches that are no event."""

LABEL_COLUMNS = ("trial_type", "eventtype", "label", "value")
"""Columns that name an event in tables with an onset; the first of them that is there is read."""

OTHER_TABLES = ("channels", "electrodes", "participants", "recordings", "scans", "sessions")
"""Ends of names of tables that are none of events: BIDS's, and the list of recordings of ``eeg predict``."""

SUFFIXES = ("_events", "_eeg", "_ieeg")
"""Ends of names that BIDS gives files of one recording."""

MOST_BYTES = 1 << 26
"""Bytes of a table of events."""


@dataclass(frozen=True)
class EventTable:
    """Events of one recording.

    Attributes:
        path: file that they are read from.
        spans: the events in order, in seconds from the recording's first sample, with their label in lower case.
        duration_s: seconds of the recording, where a file beside the events, or their table, says so.
        classes: names that labels may have, in lower case, where they are known.
    """

    path: Path
    spans: list[Annotation]
    duration_s: float | None = None
    classes: set[str] = field(default_factory=set)

    @property
    def labels(self) -> set[str]:
        """Labels that occur."""
        return {span.value for span in self.spans}


def find_event_tables(folder: Path) -> dict[str, Path]:
    """Find the files of events below a folder, one for each recording.

    Of several files of one recording the first kind of ``.tsv``, ``.csv_bi``, ``.rec``, ``.csv``, ``.edf`` is taken.

    Returns:
        name of the recording, its path in the folder without endings -> file.

    Raises:
        InputError: there are none, or two files of one kind are of one recording.
    """
    return _one_of_each(folder, list(READERS))


def find_predictions(folder: Path) -> dict[str, Path]:
    """Find the files of predicted events below a folder, one for each recording, as :func:`find_event_tables` does.

    The table of ``eeg predict`` comes first: the file beside it says how long the recording is and which classes there
    are, and the tables of ``--tsv`` hold no more than it.
    """
    return _one_of_each(folder, sorted(READERS, key=lambda ending: ending != ".csv"))


def _one_of_each(folder: Path, order: Sequence[str]) -> dict[str, Path]:
    """Return the file of each recording's events, of the first ending in order that there is."""
    tables: dict[str, list[Path]] = {}
    for path in list_files(folder).files:
        if path.suffix.lower() in READERS and not path.stem.lower().endswith(OTHER_TABLES):
            tables.setdefault(recording_name(path), []).append(path)
    if not tables:
        raise InputError(f"{folder}: files: must have events in {', '.join(READERS)} (found none)")
    chosen = {}
    for name, paths in tables.items():
        first, *others = sorted(paths, key=lambda path: order.index(path.suffix.lower()))
        if others and others[0].suffix.lower() == first.suffix.lower():
            raise InputError(f"{folder / others[0]}: name: must be of another recording than {first}")
        chosen[name] = folder / first
    return chosen


def recording_name(path: Path) -> str:
    """Return the name of the recording that a file's events are of: its path without ending, and BIDS's suffix."""
    stem = path.with_suffix("")
    stem = stem.with_suffix("") if stem.suffix.lower() in (".edf", ".bdf", ".vhdr", ".set", ".fif") else stem
    name = stem.as_posix()
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.lower().endswith(suffix)), name)


def read_event_table(path: Path, rename: Mapping[str, str] | None = None) -> EventTable:
    """Read the events of one recording.

    Labels are compared in lower case; HED-SCORE's types of seizures, such as ``sz_foc_ia``, are read as ``sz``. Events
    of several channels are united where the format has a row for each channel.

    Args:
        path: the file.
        rename: label -> label that stands for it, in lower case.

    Raises:
        InputError: the file is none of events, or events of one label overlap or are out of order.
    """
    table = READERS[path.suffix.lower()](path)
    spans = [span._replace(value=read_label(span.value, rename)) for span in table.spans]
    kept = [span for span in spans if span.value not in NO_EVENT]
    _require_order(path, kept)
    said_s, said_classes = _sidecar(path)
    classes = {read_label(each, rename) for each in said_classes} - NO_EVENT
    duration_s = table.duration_s if table.duration_s is not None else said_s
    return EventTable(path, kept, _recorded_s(path) if duration_s is None else duration_s, classes)


def read_label(text: str, rename: Mapping[str, str] | None = None) -> str:
    """Return the label that a file's stands for, in lower case; see :func:`read_event_table`."""
    names, lower = rename or {}, text.strip().lower()
    lower = names.get(lower, lower)
    return names.get("sz", "sz") if lower.startswith("sz_") else lower


def _require_order(path: Path, spans: Iterable[Annotation]) -> None:
    last: dict[str, Annotation] = {}
    for span in spans:
        before = last.get(span.value)
        if before and span.start_s < before.stop_s - 1e-6:
            raise InputError(
                f"{path}: onset: events of one label must be in order and apart (found {span.value} at "
                f"{span.start_s:g} s after {before.start_s:g} to {before.stop_s:g} s)"
            )
        last[span.value] = span


def _sidecar(path: Path) -> tuple[float | None, list[str]]:
    """Return the recording's seconds and the classes that ``eeg predict`` wrote beside the events, if it did.

    Raises:
        InputError: they are none, or the events are of a stretch, whose times no reference is held against.
    """
    beside = path.with_suffix(".json")
    document = read_json(beside) if path.suffix.lower() == ".csv" and beside.is_file() else {}
    if not isinstance(document, dict):
        return None, []
    classes = document.get("classes", [])
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise InputError(f"{beside}: classes: must be a list of names (found {classes!r:.60})")
    if begin_s := _number(beside, "start_s", str(document.get("start_s", 0))):
        raise InputError(
            f"{beside}: start_s: must be 0, as recordings are scored from their beginning on (found predictions of a "
            f"stretch from {begin_s:g} s on)"
        )
    said = document.get("duration_s")
    return None if said is None else _number(beside, "duration_s", str(said)), classes


def _recorded_s(path: Path) -> float | None:
    """Return the length of the EDF or BDF file beside a file of events, or of that file itself."""
    stem = path.with_name(Path(recording_name(Path(path.name))).name)
    for name in (stem, stem.with_name(f"{stem.name}_eeg")):
        for ending in (".edf", ".bdf"):
            if beside := file_of_ending(name.with_name(f"{name.name}.x"), ending):
                header = read_header(beside)
                return header.records * header.record_s
    return None


def _united(spans: Iterable[Annotation]) -> list[Annotation]:
    """Unite events of one label that overlap or touch, as rows of several channels do."""
    united: list[Annotation] = []
    for span in sorted(spans, key=lambda span: (span.value, span.start_s)):
        if united and united[-1].value == span.value and span.start_s <= united[-1].stop_s:
            united[-1] = united[-1]._replace(stop_s=max(united[-1].stop_s, span.stop_s))
        else:
            united.append(span)
    return sorted(united)


def _read_tsv(path: Path) -> EventTable:
    table = read_tsv(path, missing=("n/a", "N/A", ""), trim=True)
    columns = {str(name).strip().lower(): str(name).strip() for name in table}
    column = next((columns[name] for name in LABEL_COLUMNS if name in columns), None)
    if column is None:
        raise InputError(f"{path}: {', '.join(LABEL_COLUMNS)}: one must be there (found {', '.join(columns.values())})")
    spans, duration = list(read_spans(path, column)), columns.get("recordingduration")
    if duration is None or table.empty:
        return EventTable(path, spans)
    said = {str(each) for each in table[next(name for name in table if str(name).strip() == duration)].dropna()}
    if len(said) != 1:
        raise InputError(
            f"{path}: {duration}: must be the same in all rows (found {', '.join(sorted(said)) or 'none'})"
        )
    return EventTable(path, spans, _number(path, duration, said.pop()))


def _number(path: Path, column: str, text: str) -> float:
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        value = float("nan")
    if not 0 <= value < float("inf"):
        raise InputError(f"{path}: {column}: must be a number of seconds (found {text!r})")
    return value


def _read_csv(path: Path) -> EventTable:
    lines = [line for line in read_text(path, MOST_BYTES).splitlines() if line.strip() and not line.startswith("#")]
    rows = csv.DictReader(lines, delimiter=max(",;\t", key=lines[0].count) if lines else ",")
    names = [name.strip().lower() for name in rows.fieldnames or ()]
    if "start_time" in names:
        return EventTable(path, _united(tuh.read_annotations(path)))
    rows.fieldnames = names
    if missing := [name for name in ("onset", "duration", "label") if name not in names]:
        raise InputError(f"{path}: {', '.join(missing)}: is missing (found {', '.join(names) or 'no column'})")
    spans = []
    try:
        for row in rows:
            onset, duration = (_number(path, name, row[name] or "") for name in ("onset", "duration"))
            spans.append(Annotation(onset, onset + duration, row["label"] or ""))
    except csv.Error as error:
        raise InputError(f"{path}: must be a table of comma-separated columns ({error})") from error
    return EventTable(path, spans)


def _read_rec(path: Path) -> EventTable:
    events = tuev.read_rec(path)
    spans = (Annotation(event.start_s, event.stop_s, tuev.CLASSES[event.label]) for event in events)
    return EventTable(path, _united(spans), classes=set(tuev.CLASSES))


def _read_edf(path: Path) -> EventTable:
    from eegdiffusion.events.corpora.recorded_signals import annotations_of

    return EventTable(path, _united(annotations_of(path)))


READERS: dict[str, Callable[[Path], EventTable]] = {
    ".tsv": _read_tsv,
    ".csv_bi": _read_csv,
    ".rec": _read_rec,
    ".csv": _read_csv,
    ".edf": _read_edf,
}
"""Ending of a file of events -> its reader, in the order in which one of several files of a recording is taken."""
