"""Text that any terminal and any table takes: names of files may hold bytes that are no text, and line breaks."""

import re
import sys
from typing import TextIO

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_UNDECODED = re.compile("[\udc80-\udcff]")


def printable(text: object) -> str:
    r"""Return a text in one line of UTF-8: bytes that are no text as ``\xeb``, control characters as ``\n``."""
    line = _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), str(text))
    line = _UNDECODED.sub(lambda match: f"\\x{ord(match[0]) - 0xDC00:02x}", line)
    return line.encode("utf-8", "backslashreplace").decode()


def say(*lines: object, stream: TextIO | None = None) -> None:
    """Print lines: what stands in one, the name of a file or a label, ends no line and moves no cursor.

    Args:
        *lines: texts, a line each.
        stream: where to; default: standard output.
    """
    stream = sys.stdout if stream is None else stream
    if stream is None:  # the process was started with it closed
        return
    stream.write("".join(f"{encodable(line, stream)}\n" for line in lines))
    stream.flush()


def encodable(text: object, stream: TextIO) -> str:
    """Return a text in one line, as :func:`printable` does, of characters that a stream can encode."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return printable(text).encode(encoding, "backslashreplace").decode(encoding)
