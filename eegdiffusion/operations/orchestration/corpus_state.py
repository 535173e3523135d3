"""What the watch on a corpus saw last, kept in a file beside those of the other corpora."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path

from eegdiffusion.core.recordings.recording_files import list_files


@dataclass(frozen=True)
class File:
    """A file as it was last seen.

    Attributes:
        size: bytes.
        mtime_ns: time of the last modification.
        sha256: of its content; empty of a file that the corpus does not read.
    """

    size: int
    mtime_ns: int
    sha256: str = ""

    def unchanged(self, other: "File | None") -> bool:
        """Tell whether size and time are those of another look."""
        return other is not None and (self.size, self.mtime_ns) == (other.size, other.mtime_ns)


CLOSED = File(-1, 0)
"""What cannot be opened."""


@dataclass(frozen=True)
class State:
    """What was seen last, and the hashes of valid content.

    Attributes:
        seen: every file, whatever it holds, by its path from the corpus's root, or its whole path where it lies
            elsewhere.
        valid: content that needs no look: confirmed, or valid and within the drift limit.
        announced: content of the last confirmed event.
        pending: content that was announced since and is not confirmed.
        unusable: recordings that were left out of the valid content.
        settled: whether nothing is to be done as long as the files are those that were seen.
    """

    seen: dict[str, File] = field(default_factory=dict)
    valid: dict[str, str] = field(default_factory=dict)
    announced: dict[str, str] = field(default_factory=dict)
    pending: dict[str, str] | None = None
    unusable: list[str] = field(default_factory=list)
    settled: bool = False


def load(path: Path) -> State:
    """Read the state, which is empty at first; states of earlier versions say ``told`` for ``announced``."""
    if not path.is_file():
        return State()
    document = json.loads(path.read_text())
    return State(
        seen={name: File(**entry) for name, entry in document["seen"].items()},
        valid=document["valid"],
        announced=document.get("announced", document.get("told", document["valid"])),
        pending=document.get("pending"),
        unusable=document.get("unusable", []),
        settled=document.get("settled", False),
    )


def save(path: Path, state: State) -> None:
    """Write the state, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(state)))
    partial.replace(path)


def list_content(root: Path, elsewhere: Collection[str]) -> dict[str, File]:
    """List every file below a folder, and some that lie elsewhere, without reading them.

    What cannot be opened is listed too, such as a link that leads nowhere.

    Args:
        root: folder of the corpus.
        elsewhere: whole paths of files outside it.
    """
    listing = list_files(root)
    names = [path.as_posix() for path in listing.files]
    names += [name for name in elsewhere if Path(name).is_file()]
    stats = {name: (root / name).stat() for name in names}
    closed = {path.as_posix(): CLOSED for path in (*listing.unreachable_files, *listing.unreachable_folders)}
    return {name: File(status.st_size, status.st_mtime_ns) for name, status in stats.items()} | closed


def hash_content(root: Path, listed: dict[str, File], read: Collection[str], seen: dict[str, File]) -> dict[str, File]:
    """Hash the files that a corpus reads; those whose size and time are as they were seen are not read again.

    Args:
        root: folder of the corpus.
        listed: see :func:`list_content`.
        read: names of the files that are read.
        seen: files as they were seen before.
    """
    files = {}
    for name, file in listed.items():
        known = seen.get(name)
        if name not in read or file == CLOSED:
            files[name] = file
        elif known is not None and known.sha256 and file.unchanged(known):
            files[name] = known
        else:
            with (root / name).open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            files[name] = File(file.size, file.mtime_ns, digest)
    return files
