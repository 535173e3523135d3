"""The files of a BIDS tree of EEG: its recordings, each once, and the files that describe them.

Rules of names and of inheritance: Brain Imaging Data Structure 1.10, EEG (Pernet et al., Scientific Data 2019).
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from eegdiffusion.core.recordings.brainvision_files import companion, data_file
from eegdiffusion.core.recordings.recording_files import OTHER_FORMATS, ending_of, find_files
from eegdiffusion.core.storage.problems import Problem

FORMATS = (".vhdr", ".set", ".edf", ".bdf")
"""Endings of the formats of EEG-BIDS: BrainVision, EEGLAB, EDF, BDF; of a recording in several, the first is read."""

_ORDER = (*FORMATS, ".fif", ".fif.gz")

_DERIVED = ("desc", "proc")
"""Entities of files that are made from a recording, not recorded."""

_COMPARED_BYTES = 1 << 20
"""Bytes of two recordings that are compared: noise does not repeat itself."""

_ENTITY = re.compile(r"(?:^|_)([A-Za-z]+)-([A-Za-z0-9+]+)(?=[_.]|$)")


def entities(name: str) -> dict[str, str]:
    """Return the entities of a file's name, such as sub, ses, task, acq and run, with their labels."""
    return dict(_ENTITY.findall(name))


def session_label(path: Path) -> str | None:
    """Return the label of a recording's session, by its name or its folder ``ses-<label>``; None where it has none."""
    folders = (label for parent in path.parents if (label := entities(parent.name).get("ses")))
    return entities(path.name).get("ses") or next(folders, None)


def find_bids_recordings(root: Path, formats: Sequence[str] = FORMATS) -> tuple[list[Path], list[Problem]]:
    """List the recordings of a BIDS tree, each once; EEGLAB derivatives where the raw recordings are not there.

    Args:
        root: folder of the tree.
        formats: endings that are read.

    Returns:
        paths; what is left out and why: what cannot be opened or is linked to twice, a recording in another format once
        more, what was derived from it, what lies with another subject, and formats that EEG-BIDS has not.
    """
    subjects = [path.name for path in root.iterdir() if path.name.startswith("sub-")]
    files, problems = find_files(root, _may_be_recording, subjects)
    problems += [_misspelt(path) for path in sorted(root.iterdir()) if _is_misspelt(path)]
    named = [path for path in files if _is_recording(path.name, formats)]
    problems += [_unread(path) for path in files if path not in set(named) and not _of_other_kind(path)]
    placed = [path for path in named if path.parts[0] == f"sub-{entities(path.name).get('sub')}"]
    problems += [_misplaced(path) for path in named if path not in set(placed)]
    derivatives, others = find_files(root, _is_derivative, ["derivatives"])
    if not named:
        continuous = [path for path in derivatives if path.stem.endswith("_continuous")]
        return [root / path for path in continuous if path.parent == Path("derivatives/eeglab")], problems + others
    if derivatives:
        message = f"{len(derivatives)} files of EEG are not read, as the recordings that they are made from are"
        problems.append(Problem("derivatives", "duplicate", "file", message, "warning"))
    recordings, repeated = _each_once(placed)
    problems += repeated + _without_recording(root, subjects, named, problems) + _same_samples(root, recordings)
    return [root / path for path in recordings], problems


def find_sidecar(recording: Path, root: Path, suffix: str, ending: str) -> Path | None:
    """Find the file that describes a recording, by BIDS's inheritance principle.

    Args:
        recording: path of the recording; it lies below the root.
        root: folder of the corpus.
        suffix: e.g. ``channels``.
        ending: e.g. ``.tsv``.

    Returns:
        the file in the nearest folder upwards whose entities the recording has, the one with the most of them; None
        where there is none.
    """
    wanted = entities(recording.name).items()
    for folder in recording.parents:
        fitting = [
            path
            for path in (sorted(folder.iterdir()) if folder.is_dir() else ())
            if re.fullmatch(rf"(?:[^.].*_)?{suffix}{re.escape(ending)}", path.name, re.IGNORECASE)
            and entities(path.name).items() <= wanted
            and path.is_file()
        ]
        if fitting:
            return max(fitting, key=lambda path: len(entities(path.name)))
        if folder == root:
            break
    return None


def _is_recording(name: str, formats: Sequence[str] = FORMATS) -> bool:
    ending = ending_of(name, formats)
    return ending is not None and name.lower().endswith(f"_eeg{ending}")


def _may_be_recording(name: str) -> bool:
    return ending_of(name, (*FORMATS, *OTHER_FORMATS, ".fif", ".fif.gz")) is not None


def _is_derivative(name: str) -> bool:
    return name.startswith("sub-") and (_is_recording(name) or name.lower().endswith("_continuous.set"))


def _of_other_kind(path: Path) -> bool:
    """Tell whether a file lies in a folder of another kind of data than EEG, such as ``meg`` or ``ieeg``."""
    return path.parent.name in ("meg", "ieeg", "emg", "nirs", "motion", "beh", "func", "anat", "dwi", "fmap", "micr")


def _is_misspelt(path: Path) -> bool:
    """Tell whether a folder is called like a subject's but for the case of its letters, or its hyphen."""
    return bool(re.fullmatch(r"sub[-_ ]?[A-Za-z0-9+]+", path.name, re.IGNORECASE)) and (
        not path.name.startswith("sub-") and path.is_dir()
    )


def _misspelt(path: Path) -> Problem:
    return Problem(
        path.name, "recordings", "folder", "is not read: the folders of subjects are called sub-XX", "warning"
    )


def _unread(path: Path) -> Problem:
    if ending_of(path.name, FORMATS) is None:
        message = f"is of a format that is not read: EEG-BIDS has {', '.join(FORMATS)}"
    else:
        message = "is not read: EEG-BIDS calls continuous recordings *_eeg"
    return Problem(path.as_posix(), "recordings", "file", message, "warning")


def _without_recording(root: Path, subjects: list[str], named: list[Path], problems: list[Problem]) -> list[Problem]:
    """Name the tables of events without a recording, and the subjects without one, that no other problem is about."""
    recorded = {_identity(path) for path in named}
    events, _ = find_files(root, lambda name: name.lower().endswith("_events.tsv"), subjects)
    lacking = [
        Problem(path.as_posix(), "recordings", "file", "belongs to no recording *_eeg that is there", "warning")
        for path in events
        if not _of_other_kind(path) and not any(set(_identity(path)) <= set(recording) for recording in recorded)
    ]
    mentioned = {Path(problem.path).parts[0] for problem in [*problems, *lacking]} | {path.parts[0] for path in named}
    return lacking + [
        Problem(subject, "recordings", "file", "holds no recording *_eeg", "warning")
        for subject in sorted(set(subjects) - mentioned)
        if (root / subject).is_dir()
    ]


def _misplaced(path: Path) -> Problem:
    message = f"must lie in the folder of the subject that its name has (found {path.parts[0]})"
    return Problem(path.as_posix(), "recordings", "sub", message)


def _each_once(paths: Iterable[Path]) -> tuple[list[Path], list[Problem]]:
    """Choose one file of each recording: of the same entities but for those of derived files."""
    files_of: dict[tuple, list[Path]] = {}
    for path in paths:
        files_of.setdefault(_identity(path), []).append(path)
    recordings, problems = [], []
    for files in files_of.values():
        first, *others = sorted(files, key=_preference)
        recordings.append(first)
        for path in others:
            message = f"is the recording {first.as_posix()} once more, which is read"
            problems.append(Problem(path.as_posix(), "duplicate", "file", message, "warning"))
    return sorted(recordings), problems


def _same_samples(root: Path, recordings: list[Path]) -> list[Problem]:
    """Warn of recordings of other names that have the same samples, by the size and the middle of their data."""
    first: dict[tuple[int, str], Path] = {}
    problems = []
    for path in recordings:
        data = _data_file(root / path)
        if data is None:
            continue
        size = data.stat().st_size
        with data.open("rb") as file:
            file.seek(max(0, size - _COMPARED_BYTES) // 2)
            digest = hashlib.sha256(file.read(_COMPARED_BYTES)).hexdigest()
        other = first.setdefault((size, digest), path)
        if other != path:
            message = f"has the samples of {other.as_posix()}; if it is a copy, its trials count twice"
            problems.append(Problem(path.as_posix(), "duplicate", "samples", message, "warning"))
    return problems


def _data_file(recording: Path) -> Path | None:
    """Return the file that holds the samples of a recording; None where it is not there."""
    if recording.suffix.lower() == ".vhdr":
        return data_file(recording)
    apart = companion(recording, f"{recording.stem}.fdt") if recording.suffix.lower() == ".set" else None
    return apart or recording


def _identity(path: Path) -> tuple[tuple[str, str], ...]:
    """Return the entities of the recording that a file is, or is about."""
    labels = entities(path.name) | {"ses": session_label(path) or ""}
    if (run := labels.get("run", "")).isdecimal():
        labels["run"] = str(int(run))  # a number, with any zeros before it
    return tuple(sorted((name, label) for name, label in labels.items() if name not in _DERIVED))


def _preference(path: Path) -> tuple:
    derived = len(entities(path.name).keys() & set(_DERIVED))
    return derived, _ORDER.index(ending_of(path.name, _ORDER) or _ORDER[-1]), len(path.parts), path.as_posix()
