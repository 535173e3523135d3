"""Text that any terminal and any table takes: names of files may hold bytes that are no text, and line breaks."""

import re

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_UNDECODED = re.compile("[\udc80-\udcff]")


def printable(text: object) -> str:
    r"""Return a text in one line of UTF-8: bytes that are no text as ``\xeb``, control characters as ``\n``."""
    line = _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), str(text))
    line = _UNDECODED.sub(lambda match: f"\\x{ord(match[0]) - 0xDC00:02x}", line)
    return line.encode("utf-8", "backslashreplace").decode()
