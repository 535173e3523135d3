"""Opening of BrainVision recordings whose files are named in upper case, or in another case than the header names them.

MNE takes a header by its ending ``.vhdr`` alone, and the files that it names letter by letter, as other systems do not.
A header names the files of its samples and markers, which must lie beside it: MNE would follow ``../`` to another
person's.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from eegdiffusion.core.recordings.brainvision_checks import check_header
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.named_files import file_beside

if TYPE_CHECKING:
    import mne

MOST_CHANNELS = 4096
"""Channels of a recording."""

MOST_HEADER, MOST_MARKERS = 1 << 22, 1 << 25
"""Bytes of a header and of a file of markers, which MNE holds many times."""

_NAMED = re.compile(
    rb"^([ \t]*(DataFile|MarkerFile)[ \t]*[=:][ \t]*)([^\r\n]*?)([ \t\r]*)$", re.IGNORECASE | re.MULTILINE
)
_FIELDS = ("DataFile", "MarkerFile")
_ASCII = "[abcXYZ019]=:./-,;+AC4-"


def read_header_bytes(header: Path) -> bytes:
    """Read a header, which is short.

    Raises:
        InputError: it is longer than ``MOST_HEADER``.
    """
    return _read_short(header, MOST_HEADER, "header")


def read_marker_bytes(markers: Path) -> bytes:
    """Read a file of markers.

    Raises:
        InputError: it is longer than ``MOST_MARKERS``.
    """
    return _read_short(markers, MOST_MARKERS, "markers")


def _read_short(path: Path, most: int, what: str) -> bytes:
    if (size := path.stat().st_size) > most:
        raise InputError(f"{path}: {what}: must be at most {most} bytes (found {size})")
    return path.read_bytes()


def companion(header: Path, name: str) -> Path | None:
    """Return the file that a header names, in whatever case its name is; None where there is none.

    Args:
        header: path of the header, ``.vhdr``.
        name: name as the header has it; ``$b`` in it stands for the header's own name without ending.

    Raises:
        InputError: the name leads to another folder.
    """
    path = file_beside(header, name.strip().replace("$b", header.stem), f"{header}: DataFile, MarkerFile")
    if path.is_file() or not path.parent.is_dir():
        return path if path.is_file() else None
    same = [other for other in path.parent.iterdir() if other.name.lower() == path.name.lower() and other.is_file()]
    return min(same, default=None)


def _named(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield field and value of each line that names a file."""
    for match in _NAMED.finditer(content):
        yield match[2].decode().lower(), match[3].decode(errors="surrogateescape")


def data_file(header: Path) -> Path | None:
    """Return the file of the samples that a header names and that lies beside it; None where there is none."""
    return companions(header).get("datafile")


def companions(header: Path) -> dict[str, Path]:
    """Return the files that a header names and that lie beside it, by field in lower case.

    Names that lead elsewhere are left out, as is all of a header that is none: who opens it says what is wrong.
    """
    paths: dict[str, Path] = {}
    try:
        for field, name in _named(read_header_bytes(header)):
            if path := companion(header, name):
                paths.setdefault(field, path)
    except InputError:
        return paths
    return paths


def _require_safe(header: Path, content: bytes) -> None:
    """Check what MNE reads of a header, by MNE's own parser: names, and how many channels it makes room for.

    Raises:
        InputError: a name leads to another folder, there are too many channels, or the text is in an encoding in which
            names can hide.
        Exception: MNE cannot parse it.
    """
    from mne.io.brainvision.brainvision import _aux_hdr_info

    for codepage in re.findall(r"codepage\s*=(.+)", content.decode("ascii", "ignore"), re.IGNORECASE):
        name = codepage.strip()
        try:
            plain = name.upper() == "ANSI" or _ASCII.encode().decode(name) == _ASCII
        except (LookupError, ValueError):
            plain = False
        if not plain:
            raise InputError(f"{header}: Codepage: must be one of text that has ASCII in it (found {name[:40]!r})")
    with TemporaryDirectory() as folder:
        copy = Path(folder, "header.vhdr")
        copy.write_bytes(content)
        _, fields, section, _ = _aux_hdr_info(copy)
    for field in _FIELDS:
        companion(header, fields.get(section, field))
    channels = fields.getint(section, "NumberOfChannels")
    if not 1 <= channels <= MOST_CHANNELS:
        raise InputError(f"{header}: NumberOfChannels: must be from 1 to {MOST_CHANNELS} (found {channels})")


def _as_mne_takes_it(path: Path) -> bool:
    return path.is_file() and (path.suffix == ".vmrk" or path.suffix.lower() != ".vmrk")


def open_brainvision(header: Path) -> "mne.io.BaseRaw":
    """Open a BrainVision recording with MNE, its samples staying on disk.

    Args:
        header: path of the header, ``.vhdr`` in upper or lower case.

    Raises:
        InputError: the header names files of another folder, promises more than it may, or says what MNE would read
            wrongly.
        Exception: whatever MNE raises on a recording that it cannot read.
    """
    import mne

    content = read_header_bytes(header)
    _require_safe(header, content)
    check_header(header, data_file(header))
    named = dict(_named(content))
    if markers := companion(header, named.get("markerfile", f"{header.stem}.vmrk")):
        read_marker_bytes(markers)
    if header.suffix == ".vhdr" and all(_as_mne_takes_it(header.parent / name) for name in named.values()):
        return mne.io.read_raw_brainvision(header, preload=False, verbose="ERROR")
    with TemporaryDirectory() as folder:

        def place(match: re.Match[bytes]) -> bytes:
            path = companion(header, match[3].decode(errors="surrogateescape"))
            if path is None:
                return match[0]
            path = path.resolve()
            if path.suffix.lower() == ".vmrk":  # read while the recording is opened
                path = Path(shutil.copyfile(path, Path(folder) / "markers.vmrk"))
            return match[1] + str(path).encode(errors="surrogateescape") + match[4]

        copy = Path(folder) / f"{header.stem}.vhdr"
        copy.write_bytes(_NAMED.sub(place, content))
        return mne.io.read_raw_brainvision(copy, preload=False, verbose="ERROR")
