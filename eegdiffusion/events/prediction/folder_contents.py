"""The recordings below a folder: which are read, which are there twice, and what is none."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from eegdiffusion.core.recordings import recording_copies
from eegdiffusion.core.recordings.edf_header import read_header
from eegdiffusion.core.recordings.electrode_recording import ENDINGS
from eegdiffusion.core.recordings.recording_files import ending_of, list_files
from eegdiffusion.core.signal.montage import derivations


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
        parts: files that are read with the first file of their recording, which it says.
    """

    endings: dict[Path, str]
    left_out: dict[Path, str]
    unreachable: dict[Path, str]
    copies: dict[Path, Copy]
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
    unreachable = listing.unreachable(lambda name: ending_of(name, ENDINGS) is not None)
    same_file = {path: first for path, first in listing.repeated_files.items() if path in endings}
    same_bytes = recording_copies.same_bytes(folder, _without(endings, same_file))
    same_samples = recording_copies.same_samples(folder, endings, same_file.keys() | same_bytes.keys())
    kinds = {"is {} by another name": same_file, "has the same bytes as {}": same_bytes}
    kinds |= {"holds the same samples as {}": same_samples}
    first_of = same_file | same_bytes | same_samples
    copies = {
        path: Copy(_first(path, first_of), how.format(first.as_posix()))
        for how, firsts in kinds.items()
        for path, first in firsts.items()
    }
    return FolderContents(endings, left_out, unreachable, copies, parts)


def _first(path: Path, first_of: dict[Path, Path]) -> Path:
    while path in first_of:
        path = first_of[path]
    return path


def _without(endings: Iterable[Path], others: Iterable[Path]) -> list[Path]:
    left = set(others)
    return [path for path in endings if path not in left]


def _is_result(path: Path) -> bool:
    """Say whether an EDF file holds the derivations that `eeg predict` writes beside its events."""
    try:
        labels = [label for label in read_header(path).labels if not label.startswith("EDF Annotations")]
    except Exception:  # its reader says what is wrong with it
        return False
    return labels in [derivations(sign) for sign in ("eegdm", "tuh")]
