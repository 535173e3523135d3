"""A folder of recordings without what identifies patients: contents, names of files and folders, and a report."""

import csv
import re
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from eegdiffusion.core.deidentification.brainvision import brainvision_identity, deidentify_brainvision
from eegdiffusion.core.deidentification.changes import Changes
from eegdiffusion.core.deidentification.edf import deidentify_edf, edf_identity
from eegdiffusion.core.deidentification.kept_texts import KeptTexts
from eegdiffusion.core.deidentification.subject_key import Subject, SubjectKey
from eegdiffusion.core.deidentification.tables import deidentify_rec, deidentify_table
from eegdiffusion.core.recordings.patient_identity import Identity
from eegdiffusion.core.recordings.recording_files import ending_of, list_files
from eegdiffusion.core.runtime.errors import InputError, UnavailableError
from eegdiffusion.core.storage.spreadsheet import write_rows

REPORT = "deidentification.csv"

COLUMNS = ["recording", "field", "action", "count"]
"""Columns of the report."""

_KEPT_FOLDERS = {"train", "eval", "test", "dev", "edf", "eeg", "ieeg", "meg"}
"""Folders whose names say what lies in them."""

_KEPT_TASKS = {
    "rest",
    "resting",
    "restingstate",
    "eyesopen",
    "eyesclosed",
    "sleep",
    "oddball",
    "p300",
    "motor",
    "tangrams",
    "things",
}


def _fif_identity(path: Path) -> Identity:
    from eegdiffusion.core.deidentification.fif import fif_identity

    return fif_identity(path)


def _deidentify_fif(source: Path, target: Path, subject: Subject, texts: KeptTexts) -> Changes:
    from eegdiffusion.core.deidentification.fif import deidentify_fif

    return deidentify_fif(source, target, subject, texts)


class _Format(NamedTuple):
    identity: Callable[[Path], Identity]
    write: Callable[[Path, Path, Subject, KeptTexts], Changes]


_EDF = _Format(edf_identity, deidentify_edf)
_FIF = _Format(_fif_identity, _deidentify_fif)
FORMATS = {
    ".edf": _EDF,
    ".bdf": _EDF,
    ".vhdr": _Format(brainvision_identity, deidentify_brainvision),
    ".fif": _FIF,
    ".fif.gz": _FIF,
}
"""What reads and writes a recording, by its ending."""


@dataclass
class Deidentified:
    """What became of a folder.

    Attributes:
        changes: what was changed in each recording that was written, by its new path.
        refused: why a recording was not written, by its old path.
        left_out: files that are no recordings, nor tables beside one.
        kept: number of recordings that were there already.
    """

    changes: dict[Path, Changes] = field(default_factory=dict)
    refused: dict[Path, str] = field(default_factory=dict)
    left_out: list[Path] = field(default_factory=list)
    kept: int = 0


def deidentify(
    source: Path, out: Path, key: SubjectKey, allowed: Collection[str] = ()
) -> Iterator[tuple[Path, Deidentified]]:
    """Write recordings without what identifies their patients.

    The key is saved before the first file that depends on it, so that a run that was ended goes on with the same codes;
    recordings that are there already, and are newer than their source, are not written again.

    Args:
        source: a recording, or a folder, all recordings below which are done.
        out: folder to write.
        key: what stands for whom.
        allowed: labels and annotations that may stay besides those that are known.

    Yields:
        each recording's path and all that was done so far, after it.

    Raises:
        InputError: the folders do not go together, or there is no recording.
        UnavailableError: a file cannot be written.
    """
    root, files, unreachable = _listed(source)
    _require_apart(root, out, key.path)
    recordings = [path for path in files if ending_of(path.name, FORMATS)]
    if not recordings and not unreachable:
        raise InputError(f"{source}: must be a recording, or hold one: {', '.join(FORMATS)}")
    done, used = Deidentified(refused={path: f"{path}: {why}" for path, why in unreachable.items()}), set[Path]()
    for path in recordings:
        if path not in used:
            used |= _attempt(root, path, out, key, allowed, done)
            _write_report(out / REPORT, done)
            yield path, done
    done.left_out = [path for path in files if path not in used]
    yield source, done


def _listed(source: Path) -> tuple[Path, list[Path], dict[Path, str]]:
    if source.is_dir():
        listing = list_files(source)
        return source, listing.files, listing.unreachable(lambda name: ending_of(name, FORMATS) is not None)
    if not source.is_file():
        raise InputError(f"{source}: there is no such file or folder")
    beside = [path for path in source.parent.iterdir() if path.name.startswith(source.name.partition(".")[0])]
    tables = [path for path in beside if path.suffix in (".rec", ".eeg", ".vmrk")] if source.suffix != ".fif" else []
    return source.parent, [Path(source.name), *(Path(path.name) for path in tables)], {}


def _require_apart(root: Path, out: Path, key: Path) -> None:
    places = {"--out": out.resolve(), "--key": key.resolve()}
    if places["--out"].is_relative_to(root.resolve()) or root.resolve().is_relative_to(places["--out"]):
        raise InputError(f"--out: {out}: must lie apart from the recordings in {root}")
    if places["--key"].is_relative_to(places["--out"]):
        raise InputError(f"--key: {key}: must lie outside of {out}, which is to be passed on")
    if out.is_dir() and any(out.iterdir()) and not (out / REPORT).is_file():
        raise InputError(f"--out: {out}: must be a new folder, or one that holds {REPORT} of an earlier run")


def _attempt(
    root: Path, path: Path, out: Path, key: SubjectKey, allowed: Collection[str], done: Deidentified
) -> set[Path]:
    """Write one recording, or note why not; and return the files that belong to it."""
    source, ending = root / path, ending_of(path.name, FORMATS) or ""
    belonging = {path, *_companions(root, path, ending)}
    try:
        identity = FORMATS[ending].identity(source)
        subject = key.subject(_subject_key(path, identity))
        texts = KeptTexts(allowed, key.texts, identity.words(path))
        new = Path(subject.recordings.setdefault(path.as_posix(), _new_path(path, ending, subject).as_posix()))
        key.save()
        if (out / new).is_file() and (out / new).stat().st_mtime >= source.stat().st_mtime:
            done.kept += 1
            return belonging
        done.changes[new] = _write(source, out / new, FORMATS[ending], subject, texts, key)
    except InputError as error:
        done.refused[path] = str(error)
    except OSError as error:
        raise UnavailableError(f"{out}: {path}: could not be written ({error}); the same command goes on") from error
    return belonging


def _companions(root: Path, path: Path, ending: str) -> set[Path]:
    """Return the files that belong to a recording, and are done with it."""
    stem = path.name[: -len(ending)]
    endings = {".vhdr": (".vmrk", ".eeg", ".dat"), ".fif": (), ".fif.gz": ()}.get(ending, (".rec",))
    names = {stem + other for other in endings}
    if (prefix := stem.rpartition("_")[0]) and stem.startswith("sub-"):
        names |= {f"{prefix}_events.tsv", f"{prefix}_channels.tsv"}
    if ending.startswith(".fif"):
        parts = re.compile(rf"{re.escape(stem)}-\d+{re.escape(ending)}")
        return {path.with_name(other.name) for other in (root / path).parent.iterdir() if parts.fullmatch(other.name)}
    return {path.with_name(name) for name in names if (root / path).with_name(name).is_file()}


def _subject_key(path: Path, identity: Identity) -> str:
    """Return what the recordings of one person share: BIDS's subject, the header's, the folder, or the file."""
    for part in path.parts:
        if match := re.match(r"sub-([^_/.]+)", part):
            return f"sub {match[1]}"
    folder = [part for part in path.parent.parts if part.lower() not in _KEPT_FOLDERS]
    return identity.key or (f"folder {'/'.join(folder)}" if folder else f"file {path.as_posix()}")


def _new_path(path: Path, ending: str, subject: Subject) -> Path:
    folders, code = [], f"sub-{subject.code}"
    for part in path.parent.parts:
        if part.lower() in _KEPT_FOLDERS:
            folders.append(part.lower())
        elif part.startswith("sub-"):
            folders.append(code)
        elif part.startswith("ses-"):
            folders.append(f"ses-{_session(part[4:], subject)}")
    if code not in folders:
        folders.append(subject.code)
    return Path(*folders, _new_name(path.name[: -len(ending)], subject) + ending)


def _session(label: str, subject: Subject) -> str:
    return subject.sessions.setdefault(label, f"{len(subject.sessions) + 1:02d}")


def _new_name(stem: str, subject: Subject) -> str:
    """Return the name of a recording; of BIDS's entities session, task and run stay, where they identify nobody."""
    number = len(subject.recordings) + 1
    if not stem.startswith("sub-"):
        return f"{subject.code}_{number:03d}"
    entities = dict(part.partition("-")[::2] for part in stem.split("_") if "-" in part)
    parts = [f"sub-{subject.code}"]
    if "ses" in entities:
        parts.append(f"ses-{_session(entities['ses'], subject)}")
    parts.append(f"task-{task}" if (task := entities.get("task", "").lower()) in _KEPT_TASKS else "task-eeg")
    return "_".join([*parts, f"run-{number:02d}", "eeg"])


def _write(source: Path, target: Path, format: _Format, subject: Subject, texts: KeptTexts, key: SubjectKey) -> Changes:
    """Write a recording and the tables beside it together: all appear, or none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".writing-") as temporary:
        part = Path(temporary, target.name)
        changes = format.write(source, part, subject, texts)
        changes.note("name of file and folders", str(source), str(target))
        rec = source.with_suffix(".rec")
        if source.suffix.lower() == ".edf" and rec.is_file():
            deidentify_rec(rec, part.with_suffix(".rec"), changes)
        for table in ("events", "channels"):
            old = source.with_name(f"{source.name.rpartition('_')[0]}_{table}.tsv")
            if source.name.startswith("sub-") and old.is_file():
                deidentify_table(old, part.with_name(f"{target.name.rpartition('_')[0]}_{table}.tsv"), texts, changes)
        key.save()  # with the texts that were replaced
        # The recording last: where it is, its tables are.
        for file in sorted(Path(temporary).iterdir(), key=lambda file: file == part):
            file.replace(target.with_name(file.name))
    return changes


def _write_report(path: Path, done: Deidentified) -> None:
    """Add to the report a row for each field of each recording: what was done to it, and not what it was."""
    rows = {tuple(row[name] for name in COLUMNS[:3]): row for row in _rows(path)} if path.is_file() else {}
    for new, changes in done.changes.items():
        rows = {key: row for key, row in rows.items() if key[0] != new.as_posix()}
        for (name, action), count in sorted(changes.counts.items()):
            values = (new.as_posix(), name, action, str(count))
            rows[values[:3]] = dict(zip(COLUMNS, values, strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        write_rows(file, rows.values(), COLUMNS)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
