"""Opening of BrainVision recordings whose files are named in upper case, or in another case than the header names them.

MNE takes a header by its ending ``.vhdr`` alone, and the files that it names letter by letter, as other systems do not.
"""

import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from eegdiffusion.core.recordings.brainvision_checks import check_header

if TYPE_CHECKING:
    import mne

_NAMED = re.compile(rb"^([ \t]*(DataFile|MarkerFile)[ \t]*=[ \t]*)([^\r\n]*?)([ \t]*)$", re.IGNORECASE | re.MULTILINE)


def companion(header: Path, name: str) -> Path | None:
    """Return the file that a header names, in whatever case its name is; None where there is none.

    Args:
        header: path of the header, ``.vhdr``.
        name: name as the header has it; ``$b`` in it stands for the header's own name without ending.
    """
    path = header.parent / name.strip().replace("$b", header.stem)
    if path.is_file() or not path.parent.is_dir():
        return path if path.is_file() else None
    same = [other for other in path.parent.iterdir() if other.name.lower() == path.name.lower() and other.is_file()]
    return min(same, default=None)


def data_file(header: Path) -> Path | None:
    """Return the file of the samples that a header names; None where it names none, or there is none."""
    for match in _NAMED.finditer(header.read_bytes()):
        if match[2].lower() == b"datafile":
            return companion(header, match[3].decode(errors="surrogateescape"))
    return None


def _as_mne_takes_it(path: Path) -> bool:
    return path.is_file() and (path.suffix == ".vmrk" or path.suffix.lower() != ".vmrk")


def open_brainvision(header: Path) -> "mne.io.BaseRaw":
    """Open a BrainVision recording with MNE, its samples staying on disk.

    Args:
        header: path of the header, ``.vhdr`` in upper or lower case.

    Raises:
        InputError: the header says what MNE would read wrongly.
        Exception: whatever MNE raises on a recording that it cannot read.
    """
    import mne

    check_header(header, data_file(header))
    content = header.read_bytes()
    named = [match[3].decode(errors="surrogateescape") for match in _NAMED.finditer(content)]
    if header.suffix == ".vhdr" and all(_as_mne_takes_it(header.parent / name) for name in named):
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
