"""The recordings below a folder: which are read, which are there twice, and what is none."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from eegdiffusion.core.recordings import recording_copies
from eegdiffusion.core.recordings.edf_header import read_header
from eegdiffusion.core.recordings.electrode_recording import ENDINGS
from eegdiffusion.core.recordings.recording_files import ARCHIVES, OTHER_FORMATS, ending_of, list_files
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montages import choose_montage
from eegdiffusion.events.prediction.annotated_edf import WRITTEN_BY

WHOLE = ("tcp22", "tcp22_tuh")
"""Montages whose derivations results of version 0.1 hold."""


class Copy(NamedTuple):
    """Another recording that holds the same.

    Attributes:
        of: the first of those that do.
        how: how the two are the same.
    """

    of: Path
    how: str


@dataclass(frozen=True)
class FolderContents:
    """What lies below a folder; paths are relative to it.

    Attributes:
        endings: recordings to read, in order, and the ending of each one's file.
        left_out: what is no recording of its own, and why.
        unreachable: what cannot be opened, and why.
        copies: of the recordings to read, those that hold what another one holds.
        alike: of the other ones, those that store the samples of another, which it says, under a header of their own.
        parts: files that are read with the first file of their recording, which it says.
    """

    endings: dict[Path, str]
    left_out: dict[Path, str]
    unreachable: dict[Path, str]
    copies: dict[Path, Copy]
    alike: dict[Path, Path]
    parts: dict[Path, Path]


def look_into(folder: Path) -> FolderContents:
    """Find the recordings below a folder, those in linked folders too."""
    listing = list_files(folder)
    endings = {
        path: ending
        for path in sorted([*listing.files, *listing.repeated_files])
        if (ending := ending_of(path.name, ENDINGS))
    }
    left_out = {
        path: f"leads to {'this folder' if first == Path() else first.as_posix()}, whose recordings are read there"
        for path, first in listing.repeated_folders.items()
    }
    parts = recording_copies.split_parts(folder, [path for path in endings if path not in listing.repeated_files])
    left_out |= {path: f"is a part of {first.name}, with which it is read" for path, first in parts.items()}
    for path, ending in endings.items():
        if ending == ".edf" and _is_result(folder / path):
            left_out[path] = "is a result of this command, whose signals are derivations; no recording"
        elif recording_copies.is_not_continuous(folder / path):
            left_out[path] = "holds epochs, an average or the like; not a continuous recording"
    endings = {path: ending for path, ending in endings.items() if path not in left_out}
    left_out |= _unread(folder, listing.files, listing.folders, endings)
    unreachable = listing.unreachable(lambda name: ending_of(name, ENDINGS) is not None)
    same_file = {path: first for path, first in listing.repeated_files.items() if path in endings}
    stored = recording_copies.same_stored_samples(folder, _without(endings, same_file))
    same_bytes = recording_copies.same_bytes_or_name(folder, stored)
    same_samples = recording_copies.same_samples(folder, endings, same_file.keys() | same_bytes.keys())
    kinds = {"is {} by another name": same_file, "holds the same as {}": same_bytes}
    kinds |= {"holds the same samples as {}": same_samples}
    first_of = same_file | same_bytes | same_samples
    copies = {
        path: Copy(_first(path, first_of), how.format(first.as_posix()))
        for how, firsts in kinds.items()
        for path, first in firsts.items()
    }
    alike = {path: first for path, first in stored.items() if path not in copies}
    return FolderContents(endings, left_out, unreachable, copies, alike, parts)


def _first(path: Path, first_of: dict[Path, Path]) -> Path:
    while path in first_of:
        path = first_of[path]
    return path


def _without(endings: Iterable[Path], others: Iterable[Path]) -> list[Path]:
    left = set(others)
    return [path for path in endings if path not in left]


def _unread(
    folder: Path, files: Iterable[Path], folders: Iterable[Path], recordings: Iterable[Path]
) -> dict[Path, str]:
    """Name what is likely to hold EEG in formats that are not read, and BrainVision's files without a header."""
    others = tuple(ending for ending in OTHER_FORMATS if ending not in ENDINGS)
    read = f"is of a format that is not read, which are {', '.join(ENDINGS)}"
    unread = {path: read for path in [*files, *folders] if ending_of(path.name, others)}
    unread |= {path: "is an archive; recordings in it are not read" for path in files if ending_of(path.name, ARCHIVES)}
    with_header: set[Path] = set()
    for path in recordings:
        with contextlib.suppress(OSError, InputError):  # its reader says why
            with_header |= set(recording_copies.files_of(folder / path)) if path.suffix.lower() == ".vhdr" else set()
    alone = "belongs to no header .vhdr that is there"
    return unread | {
        path: alone for path in files if path.suffix.lower() in (".eeg", ".vmrk") and folder / path not in with_header
    }


def _is_result(path: Path) -> bool:
    """Say whether an EDF file holds the derivations that `eeg predict` writes beside its events.

    Results of version 0.1, which their header does not call so, are known by all of TUEV's derivations in its order.
    """
    try:
        with path.open("rb") as file:
            recording = file.read(168)[88:]
        labels = [label for label in read_header(path).labels if not label.startswith("EDF Annotations")]
    except Exception:  # its reader says what is wrong with it
        return False
    return WRITTEN_BY.encode() in recording.split() or labels in [choose_montage(name).names for name in WHOLE]
