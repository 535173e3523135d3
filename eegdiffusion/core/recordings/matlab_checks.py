"""Checks of a MATLAB file, as EEGLAB's ``.set`` is, before it is read: what it unfolds to.

Format: "MAT-File Format" (MathWorks), level 5.
"""

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from eegdiffusion.core.runtime.errors import InputError

MOST_TIMES, SMALL_BYTES = 20, 1 << 26
"""Times its own size that a file may unfold to; one that unfolds to fewer bytes than the second is allowed."""

_HEADER_BYTES, _COMPRESSED = 128, 15
_BLOCK = 1 << 20


def check_matlab(path: Path) -> None:
    """Check that the compressed variables of a MATLAB file unfold to no more than they may.

    Raises:
        InputError: they unfold to more, or a variable goes beyond the file; the message names file and rule.
    """
    size = path.stat().st_size
    most = max(SMALL_BYTES, MOST_TIMES * size)
    with path.open("rb") as file:
        order = {b"IM": "<", b"MI": ">"}.get(file.read(_HEADER_BYTES)[126:])
        if order is None:  # of level 4, which is not compressed, or none: its reader says so
            return
        place, unfolded = _HEADER_BYTES, 0
        while len(tag := file.read(8)) == 8:
            kind, length = struct.unpack(f"{order}II", tag)
            place += 8 + length
            if place > size:
                raise InputError(f"{path}: variables: must lie within the file (promises {length} bytes)")
            if kind == _COMPRESSED:
                unfolded += _unfolded(path, file, length, most - unfolded)
            file.seek(place)


def _unfolded(path: Path, file: BinaryIO, length: int, most: int) -> int:
    """Return the bytes that compressed ones unfold to, without holding them."""
    stream, unfolded = zlib.decompressobj(), 0
    while length > 0 and (block := file.read(min(length, _BLOCK))):
        length -= len(block)
        while block:
            try:
                unfolded += len(stream.decompress(block, _BLOCK))
            except zlib.error as error:
                raise InputError(f"{path}: variables: must be whole ({error})") from error
            block = stream.unconsumed_tail
            if unfolded > most:
                raise InputError(f"{path}: variables: must unfold to at most {MOST_TIMES} times the file's size")
    return unfolded
