"""Hostile pictures, drawings, arrays and tables."""

import io
import struct
import warnings
import zipfile
import zlib

import numpy as np
from PIL import Image

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(harmed) (w) file closefile\nshowpage\n%%EOF\n"


def picture(kind: str, size: tuple[int, int] = (8, 8)) -> bytes:
    """Return a picture of noise in a format."""
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8)
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """Return a PNG whose header promises a size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


PICTURES: dict[str, bytes] = {
    "PostScript": EPS,
    "a GIF": picture("GIF"),
    "a TIFF": picture("TIFF"),
    "an icon": picture("ICO"),
    "a PPM": picture("PPM"),
    "a PDF": b"%PDF-1.4\n",
    "a PNG of many pixels": png(100_000, 100_000),
    "a PNG of a long line": png(1_000_000, 1),
    "a PNG of no pixels": png(0, 0),
    "a PNG of fewer pixels": png(2000, 2000, b"abc"),
    "a BMP of many pixels": picture("BMP")[:18] + struct.pack("<ii", 60_000, 60_000) + picture("BMP")[26:],
    "a JPEG that ends early": picture("JPEG", (64, 64))[:400],
    "a WebP that ends early": picture("WEBP", (64, 64))[:100],
    "text": b"hello",
    "nothing": b"",
}
"""Files called ``.jpg``, by what they hold."""


def svg(box: str = "0 0 100 100", points: str = "0,0 10,0 10,10", head: str = "", transform: str = "") -> bytes:
    """Return a drawing of seven polygons."""
    turn = f' transform="{transform}"' if transform else ""
    polygons = "".join(f'<polygon id="{k}" points="{points}"{turn}/>' for k in range(1, 8))
    return f'{head}<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">{polygons}</svg>'.encode()


_LAUGHS = "<!DOCTYPE svg [<!ENTITY a0 'ha'>" + "".join(
    f"<!ENTITY a{k} '{f'&a{k - 1};' * 10}'>" for k in range(1, 12)
) + "]>"  # fmt: skip
_SYSTEM = "<!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
DRAWINGS: dict[str, bytes] = {
    "a box without end": svg(box="0 0 1e999 1e999"),
    "a box of a moment": svg(box="0 0 1e-300 1e-300"),
    "a box far away": svg(box="1e300 0 10 10"),
    "a box of no numbers": svg(box="nan nan nan nan"),
    "corners without end": svg(points="0,0 1e999,0 10,10"),
    "corners far away": svg(points="0,0 1e15,0 10,10"),
    "corners that are turned away": svg(transform="matrix(1e200 0 0 1e200 0 0)"),
    "more corners than a polygon has": svg(points="0,0 " * 5000),
    "laughs": svg(head=_LAUGHS).replace(b'id="1"', b'id="&a11;"'),
    "a file of the system": svg(head=_SYSTEM).replace(b"</svg>", b"&x;</svg>"),
    "an unknown encoding": svg(head='<?xml version="1.0" encoding="utf-77"?>'),
    "a file without end": svg() + b" " * (1 << 21),
    "elements in elements": b"<svg>" * 200_000,
}  # fmt: skip
"""Drawings, by what they try."""


def array(shape: str, descr: str = "'<f4'", data: bytes = bytes(16)) -> bytes:
    """Return a ``.npy`` file whose header promises a shape."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


ARRAYS: dict[str, bytes] = {
    "values that are promised": array("(1000000, 63, 250)"),
    "values beyond numbers": array("(9999999999999999, 9999999999999999)"),
    "rows without values": array("(9999999999999, 0, 5)", data=b""),
    "fewer than none": array("(-4,)"),
    "objects": array("(1,)", "'|O'"),
    "records": array("(1,)", "[('a', '<f4')]"),
    "values of no size": array("(99999999999,)", "'|S0'", b""),
    "code": array("__import__('os').system('touch harmed')"),
    "brackets": array("(" * 3000),
    "a header that is promised": b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{}",
    "an archive": b"PK\x05\x06" + bytes(18),
    "nothing": b"",
}
"""Files called ``.npy``, by what they try."""


def archive(*members: tuple[str, bytes]) -> bytes:
    """Return an ``.npz`` file of members, deflated."""
    content = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as opened:
        warnings.simplefilter("ignore")  # of a name twice
        for name, data in members:
            opened.writestr(name, data)
    return content.getvalue()


_HONEST = array("(4,)")

ARCHIVES: dict[str, bytes] = {
    **{name: archive(("X.npy", content)) for name, content in ARRAYS.items()},
    "a bomb": archive(("X.npy", array("(17500000,)", data=bytes(70_000_000)))),
    "an array twice": archive(("X.npy", _HONEST), ("X.npy", _HONEST)),
    "an array under two names": archive(("X.npy", _HONEST), ("X", _HONEST)),
    "half of it": archive(("X.npy", _HONEST))[:60],
    "an array alone": _HONEST,
}
"""Files called ``.npz``, by what they try."""

TABLES: dict[str, bytes] = {
    "no column of names": b"a\tb\n1\t2\n",
    "cells beyond the columns": b"name\ttype\n" + b"a\tb\tc\td\n",
    "quotes that do not end": b'name\ttype\n"a\tb\n' * 3,
    "columns without end": b"name\t" * 100_000,
    "nothing": b"",
}
"""Files called ``channels.tsv``, by what they try."""

DOCUMENTS: dict[str, bytes] = {
    "lists in lists": b"[" * 200_000,
    "dicts in dicts": b'{"a":' * 200_000,
    "digits": b'{"onset": ' + b"9" * 5000 + b"}",
    "no JSON": b"{",
    "nothing": b"",
    "blanks without end": b" " * (1 << 25),
}
"""Files called ``events.json``, by what they try."""
