"""The files of TUEV, the TUH EEG Events corpus: its recordings by their place, and what is not read."""

from dataclasses import replace
from pathlib import Path

from eegdiffusion.core.recordings.recording_files import (
    ARCHIVES,
    OTHER_FORMATS,
    FileListing,
    ending_of,
    link_problems,
    list_files,
)
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.printable import printable
from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.events.corpora import tuev


def find_recordings(root: Path) -> tuple[list[Path], list[Problem]]:
    """List the recordings of a corpus by their EDF files.

    A ``.rec`` file alone names its EDF file too, so that the check finds it missing; so does a link that leads nowhere.

    Returns:
        paths relative to the root, sorted; errors of folders that cannot be opened, and of an EDF file that is listed
        by another path already; warnings of what is not read.

    Raises:
        InputError: the root is not TUEV's ``edf`` folder.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; the corpus's root in event_corpora must be TUEV's edf/ folder")
    missing = [name for name in ("train", "eval") if not (root / name).is_dir()]
    if missing:
        listed = ", ".join(missing)
        raise InputError(f"{root}: must hold train/ and eval/, as TUEV's edf/ folder does (missing: {listed})")
    listing = list_files(root, ("train", "eval"))
    problems = [
        Problem(path.as_posix(), "duplicate", "file", f"is {first.as_posix()} by another name, and is left out")
        for path, first in listing.repeated_files.items()
        if _is_edf(path)
    ]
    problems += link_problems(
        replace(listing, repeated_files={}, unreachable_files={}), lambda name: _is_edf(Path(name))
    )
    files = [*listing.files, *listing.unreachable_files]
    paths = {path for path in files if _is_edf(path)}
    if not paths:
        listed = "".join(f"\n{problem.path}: {problem.message}" for problem in problems)
        raise InputError(f"{root}: holds no .edf file below train/ and eval/{listed}")
    stems = {path.with_suffix("") for path in paths}
    events = [path for path in (*files, *listing.repeated_files) if path.suffix.lower() == ".rec"]
    problems += _unread(root, listing, events)
    paths |= {path.with_suffix(".edf") for path in events if path.with_suffix("") not in stems}
    return sorted(paths), problems


def _unread(root: Path, listing: FileListing, events: list[Path]) -> list[Problem]:
    """Warn of recordings outside train/ and eval/, of those in other formats, and of a second file of events."""
    unread = {}
    for place in sorted(path.name for path in root.iterdir() if path.name not in ("train", "eval")):
        if count := sum(_is_edf(path) for path in list_files(root, (place,)).files):
            unread[Path(place)] = f"is not read, as only train/ and eval/ are (found {count} .edf files in it)"
    for path in [*listing.files, *listing.folders]:
        if ending_of(path.name, (*OTHER_FORMATS, *ARCHIVES, ".bdf", ".vhdr", ".fif", ".fif.gz")):
            unread[path] = "is of a format that is not read: TUEV has .edf"
    for path in events:
        if (read := tuev.rec_file(root / path.with_suffix(".edf"))) != root / path:
            unread[path] = f"is not read, as the events of the recording are those of {read.name}"
    return [Problem(path.as_posix(), "files", "path", why, "warning") for path, why in unread.items()]


def _is_edf(path: Path) -> bool:
    return path.suffix.lower() == ".edf"


def subject_of(path: Path) -> tuple[str, str]:
    """Return the partition and subject of a recording by its place."""
    partition, directory = path.parts[0], path.parts[1]
    return partition, directory if partition == "train" else f"eval/{directory}"


def place_problem(path: Path) -> Problem | None:
    """Return what is wrong with the name and the place of a recording, relative to the corpus; None for nothing."""
    if printable(path.as_posix()) != path.as_posix():
        return Problem(path.as_posix(), "name", "path", "must be of text that can be printed, in UTF-8")
    if len(path.parts) < 3:
        message = "must lie in the folder of its subject, as splits are by subject"
        return Problem(path.as_posix(), "subject", "path", message)
    return None
