"""Checks of a FIF file's tags before MNE follows them: MNE trusts their sizes, their chain, and the names of parts.

Format: "Functional Image File Format 1.3" (Elekta Neuromag).
"""

import gzip
import struct
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO, NamedTuple

from eegdiffusion.core.runtime.errors import InputError

MOST_TAGS = 2_000_000
"""Tags of a file: a day at 1 kHz has 90,000 buffers of samples."""

MOST_TIMES, SMALL_BYTES = 50, 1 << 26
"""Times its own size that a ``.fif.gz`` may unfold to; one that unfolds to fewer bytes than the second is allowed."""

MOST_PARTS = 1000
"""Files of a split recording."""

_HEADER = struct.Struct(">iIii")
_FILE_ID, _DIRECTORY_POINTER, _DIGITISED_STRINGS = 100, 101, 36
_SAMPLES, _POINT_BYTES = 300, 12
_LISTED_TIMES = 2
"""A directory and the tags themselves both say their sizes."""


class _Tag(NamedTuple):
    kind: int
    type: int
    size: int
    next: int
    place: int


def check_fif(path: Path) -> None:
    """Check the tags of a FIF file, and those of the further parts that it leads to.

    Raises:
        InputError: a tag promises more than the file has, tags or parts lead in a circle, or to a file in another
            folder; the message names file, field and rule.
    """
    list_parts(path)


def list_parts(path: Path) -> list[Path]:
    """List a FIF file and the further parts that it leads to and that are there, each of them checked.

    Raises:
        InputError: see :func:`check_fif`.
    """
    from mne._fiff.open import _get_next_fname, fiff_open

    seen: list[Path] = []
    part: Path | None = path
    while part is not None:
        if part.parent != path.parent:
            raise InputError(f"{path}: name of the next part: must be of a file beside it (found {str(part)[:200]!r})")
        if not part.is_file():  # its reader says so
            return seen
        if part in seen or len(seen) > MOST_PARTS:
            rule = f"must not lead in a circle, nor be more than {MOST_PARTS}"
            raise InputError(f"{path}: parts: {rule} (found {part.name})")
        seen.append(part)
        _check_part(part)
        try:
            named, folder = in_lower_case(part)
            file, tree, _ = fiff_open(named, verbose="error")
            with folder or nullcontext(), file:
                part = _get_next_fname(file, part, tree)
        except Exception as error:  # MNE raises nearly anything on a damaged file
            raise InputError(f"{path}: file: MNE cannot read it ({type(error).__name__}: {error})") from error
    return seen


def in_lower_case(path: Path) -> tuple[Path, tempfile.TemporaryDirectory | None]:
    """Return a path whose ending is in lower case, as MNE wants it, and the folder of the link that it is, if any."""
    if path.suffix == path.suffix.lower():
        return path, None
    folder = tempfile.TemporaryDirectory()
    link = Path(folder.name, path.name.lower())
    link.symlink_to(path.resolve())
    return link, folder


def _check_part(path: Path) -> None:
    if path.suffix.lower() != ".gz":
        with path.open("rb") as file:
            _check_tags(path, file)
        return
    most = max(SMALL_BYTES, MOST_TIMES * path.stat().st_size)
    try:
        with tempfile.TemporaryFile() as plain, gzip.open(path) as packed:
            while block := packed.read(1 << 20):
                plain.write(block)
                if plain.tell() > most:
                    raise InputError(f"{path}: file: must unfold to at most {most} bytes, {MOST_TIMES} times its size")
            _check_tags(path, plain)
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: file: must be a whole gzip file ({error})") from error


def _check_tags(path: Path, file: BinaryIO) -> None:
    size = file.seek(0, 2)
    first = _read_tag(file, 0)
    if first is None or first.kind != _FILE_ID or first.size != 20:
        raise InputError(f"{path}: file: must begin with the tag of a FIF file")
    tags, samples = _listed_tags(path, file, size) or _chained_tags(path, file), 0
    for number, tag in enumerate(tags):
        if number > MOST_TAGS:
            raise InputError(f"{path}: tags: must be at most {MOST_TAGS}")
        if tag.size < 0 or tag.place < 0 or tag.place + _HEADER.size + tag.size > size:
            raise InputError(
                f"{path}: tags: must lie within the file of {size} bytes (found {tag.size} bytes of kind {tag.kind} at "
                f"{tag.place})"
            )
        samples += tag.size if tag.kind == _SAMPLES else 0
        if samples > _LISTED_TIMES * size:
            raise InputError(f"{path}: samples: must be in the file of {size} bytes (promises more than {samples})")
        if tag.type == _DIGITISED_STRINGS:
            file.seek(tag.place + _HEADER.size + 8)
            points = int.from_bytes(file.read(4), "big", signed=True)
            if points * _POINT_BYTES > tag.size:
                raise InputError(f"{path}: tags: must hold what they promise ({points} points in {tag.size} bytes)")


def _read_tag(file: BinaryIO, place: int) -> _Tag | None:
    if place < 0:
        return None
    file.seek(place)
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    kind, type_, size, following = _HEADER.unpack(header)
    return _Tag(kind, type_, size, following, place)


def _listed_tags(path: Path, file: BinaryIO, size: int) -> Iterator[_Tag] | None:
    """Return the tags of the file's directory, both as it lists them and as they are; None where it has none."""
    pointer = _read_tag(file, _HEADER.size + 20)
    if pointer is None or pointer.kind != _DIRECTORY_POINTER or pointer.size != 4:
        raise InputError(f"{path}: file: must point to the directory of its tags")
    place = int.from_bytes(file.read(4), "big", signed=True)
    directory = _read_tag(file, place) if place > 0 else None
    if directory is None:
        return None
    if not 0 < directory.size <= size - place - _HEADER.size:
        raise InputError(f"{path}: directory: must lie within the file (found {directory.size} bytes at {place})")
    entries = file.read(directory.size // _HEADER.size * _HEADER.size)

    def tags() -> Iterator[_Tag]:
        for kind, type_, length, where in _HEADER.iter_unpack(entries):
            if kind == -1:  # ends a directory
                continue
            yield _Tag(kind, type_, length, 0, where)
            if tag := _read_tag(file, where):
                yield tag

    return tags()


def _chained_tags(path: Path, file: BinaryIO) -> Iterator[_Tag]:
    """Yield the tags one after the other, as each leads to the next."""
    place: int | None = 0
    while place is not None and (tag := _read_tag(file, place)):
        yield tag
        following = place + _HEADER.size + tag.size if tag.next == 0 else tag.next
        if tag.next > 0 and following <= place:
            raise InputError(f"{path}: tags: each must lead to one after it (found {following} after {place})")
        place = following if tag.next >= 0 else None
