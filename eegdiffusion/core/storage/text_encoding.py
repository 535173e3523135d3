"""Text files as spreadsheets and other systems' editors save them."""

import codecs

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def decode_text(content: bytes) -> str:
    """Decode a file by the byte-order mark that it begins with, else as UTF-8.

    Bytes that are no text in it become the replacement character, which no number and no name of a column has, so that
    what they stand in is refused by name.
    """
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    return content.decode(encoding, errors="replace")
