"""Files that are named within other files: a name leads to a file below a folder, and nowhere else."""

import glob
from pathlib import Path, PureWindowsPath

from eegdiffusion.core.runtime.errors import InputError


def file_below(folder: Path, name: str, where: str) -> Path:
    """Return the path of a file that another file names.

    Links are the user's own and are followed, as those of a corpus under DataLad.

    Args:
        folder: folder that the file must lie below.
        name: its name relative to the folder, with slashes of either kind.
        where: file and field that name it, for the error.

    Raises:
        InputError: the name is empty, absolute, leads out of the folder, or can be that of no file.
    """
    path = PureWindowsPath(name)  # reads both kinds of slash, and knows drives
    if not path.parts or path.anchor or ".." in path.parts or "\0" in name:
        raise InputError(f"{where}: must name a file below {folder} (found {name[:200]!r})")
    return folder.joinpath(name)


def file_beside(file: Path, name: str, where: str) -> Path:
    """Return the path of a file of the same folder that a file names.

    Args:
        file: the file.
        name: name of the other.
        where: file and field that name it, for the error.

    Raises:
        InputError: the name is empty, or has a folder in it.
    """
    parts = PureWindowsPath(name).parts
    if parts != (name,) or name == ".." or "\0" in name or "/" in name:
        raise InputError(f"{where}: must name a file beside {file.name} (found {name[:200]!r})")
    return file.parent / name


def file_of_ending(path: Path, ending: str) -> Path | None:
    """Return the file beside another of its name but for the ending, which may be in upper case; None for none.

    Args:
        path: the other file.
        ending: the ending in lower case, such as ``.rec``.
    """
    file = path.with_suffix(ending)
    if file.is_file():
        return file
    others = path.parent.glob(f"{glob.escape(path.stem)}.*")
    return min((other for other in others if other.name[len(path.stem) :].lower() == ending), default=None)
