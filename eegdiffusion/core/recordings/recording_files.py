"""The files below a folder, for every reader of recordings: links are followed, and what cannot be reached is named."""

import os
import re
import stat
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from eegdiffusion.core.storage.problems import Problem

SYSTEM_FOLDERS = frozenset({"$RECYCLE.BIN", "System Volume Information", "lost+found", "__MACOSX"})
"""Folders that operating systems keep on a disk for themselves; dot files, macOS's ``._`` twins among them, are too."""

OTHER_FORMATS = (
    *(".set", ".cnt", ".gdf", ".xdf", ".nwb", ".egi", ".mff", ".nxe", ".lay", ".mef", ".mefd", ".trc", ".e", ".erd"),
    *(".edf.gz", ".bdf.gz", ".vhdr.gz", ".edf.zip", ".rhd", ".nsx", ".eeg.gz"),
)
"""Endings of formats of EEG that not every reader takes."""

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
"""Endings of archives, which may hold recordings."""

_NAMES_A_FILE = re.compile(r"\.[A-Za-z]\w*$")


@dataclass(frozen=True)
class FileListing:
    """What lies below a folder; all paths are relative to it, and those of a linked folder go through the link.

    Attributes:
        files: regular files, sorted, each once.
        folders: folders that were entered, each once.
        repeated_files: links to a file that is listed already, and the path that it is listed by.
        repeated_folders: links to a folder that is listed already, or that holds the whole, and its path.
        unreachable_files: what cannot be opened and may be a file, such as links to nothing, and why.
        unreachable_folders: what cannot be opened and may be a folder, and why.
    """

    files: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    repeated_files: dict[Path, Path] = field(default_factory=dict)
    repeated_folders: dict[Path, Path] = field(default_factory=dict)
    unreachable_files: dict[Path, str] = field(default_factory=dict)
    unreachable_folders: dict[Path, str] = field(default_factory=dict)

    def unreachable(self, wanted: Callable[[str], bool]) -> dict[Path, str]:
        """Return what cannot be opened and may be, or hold, a file that a reader wants, and why.

        Args:
            wanted: whether a file of this name is read.
        """
        files = {path: reason for path, reason in self.unreachable_files.items() if wanted(path.name)}
        return dict(sorted((files | self.unreachable_folders).items()))


def ending_of(name: str, endings: Iterable[str]) -> str | None:
    """Return the longest of some endings, such as ``.fif.gz``, that a file's name has in upper or lower case."""
    fitting = [ending for ending in endings if name.lower().endswith(ending)]
    return max(fitting, key=len, default=None)


def list_files(root: Path, folders: Collection[str] | None = None) -> FileListing:
    """List the files below a folder, those in linked folders too; each real file and folder once.

    Dot files and the folders of operating systems are left out.

    Args:
        root: the folder.
        folders: names of the folders in it that are entered; None: all are, and its own files count.
    """
    return _Walk(root, folders).listing


def find_files(
    root: Path, wanted: Callable[[str], bool], folders: Collection[str] | None = None
) -> tuple[list[Path], list[Problem]]:
    """Find a corpus's files by their names.

    Args:
        root: folder of the corpus.
        wanted: whether a file of this name is read.
        folders: see :func:`list_files`.

    Returns:
        paths relative to the root, sorted, each real file once; errors of what cannot be opened or is a folder, and
        warnings of links to what is listed already.
    """
    listing = list_files(root, folders)
    return [path for path in listing.files if wanted(path.name)], link_problems(listing, wanted)


def link_problems(listing: FileListing, wanted: Callable[[str], bool]) -> list[Problem]:
    """Return errors of what cannot be opened or is no file, and warnings of repeated links; see `find_files`."""
    problems = [Problem(path.as_posix(), "files", "path", why) for path, why in listing.unreachable(wanted).items()]
    for path in sorted(folder for folder in listing.folders if wanted(folder.name)):
        problems.append(Problem(path.as_posix(), "files", "path", "must be a file (it is a folder)"))
    files = {path: first for path, first in listing.repeated_files.items() if wanted(path.name)}
    for path, first in sorted((files | listing.repeated_folders).items()):
        message = f"is {first.as_posix()} by another name, which is read once"
        problems.append(Problem(path.as_posix(), "files", "path", message, "warning"))
    return problems


class _Walk:
    """Real folders are walked before linked ones, so that a file is listed by its real path where it has one."""

    def __init__(self, root: Path, folders: Collection[str] | None):
        self.listing = FileListing()
        self._root, self._top = root, folders
        self._seen: dict[tuple[int, int], Path] = {}
        self._above = {_identity(folder.stat()) for folder in root.resolve().parents}
        self._folders, self._linked_folders, self._linked_files = [Path()], list[Path](), list[Path]()
        while self._folders or self._linked_folders:
            if self._folders:
                self._enter(self._folders.pop())
            else:
                self._linked_folders.sort()
                self._enter(self._linked_folders.pop(0))
        self._add_linked_files()
        self.listing.files.sort()

    def _enter(self, folder: Path) -> None:
        try:
            identity = _identity((self._root / folder).stat())
            if identity in self._seen or identity in self._above:
                self.listing.repeated_folders[folder] = self._seen.get(identity, Path(".."))
                return
            self._seen[identity] = folder
            self.listing.folders.append(folder)
            with os.scandir(self._root / folder) as entries:
                for entry in entries:
                    self._add(folder / entry.name, entry)
        except OSError as error:
            self.listing.unreachable_folders[folder] = f"cannot be opened ({error.strerror})"

    def _add(self, path: Path, entry: os.DirEntry) -> None:
        if entry.name.startswith(".") or entry.name in SYSTEM_FOLDERS:
            return
        if self._top is not None and path.parent == Path() and entry.name not in self._top:
            return
        linked = entry.is_symlink()
        try:
            mode = entry.stat().st_mode
        except OSError as error:
            link = f"is a link to {os.readlink(entry.path)}, which " if linked else ""
            may_be_file = _NAMES_A_FILE.search(entry.name)
            unreachable = self.listing.unreachable_files if may_be_file else self.listing.unreachable_folders
            unreachable[path] = f"{link}cannot be opened ({error.strerror})"
            return
        if stat.S_ISDIR(mode):
            (self._linked_folders if linked else self._folders).append(path)
        elif not stat.S_ISREG(mode):
            self.listing.unreachable_files[path] = "must be a regular file (it is a pipe, a socket or a device)"
        else:
            (self._linked_files if linked else self.listing.files).append(path)

    def _add_linked_files(self) -> None:
        if not self._linked_files:
            return
        listed = {_identity((self._root / path).stat()): path for path in self.listing.files}
        for path in sorted(self._linked_files):
            first = listed.setdefault(_identity((self._root / path).stat()), path)
            if first == path:
                self.listing.files.append(path)
            else:
                self.listing.repeated_files[path] = first


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
