"""Which files beside a recording's results an earlier prediction wrote: nobody else's are overwritten or removed."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.text_files import read_json

FILES = "files"
"""Field of the file ``.json`` of results that lists the names of all of them."""


def own_files(sidecar: Path, possible: Collection[Path], always: Collection[Path]) -> set[Path]:
    """Return the files that an earlier prediction wrote, as its file ``.json`` says.

    Args:
        sidecar: that file, which need not be there.
        possible: files that a prediction of this name may write; whatever else the list holds is left alone.
        always: those that results without a list have.
    """
    try:
        document = read_json(sidecar)
    except (InputError, OSError):  # of a name that is too long, or of no file
        return set()
    if not isinstance(document, dict) or not {"recording", "model", "classes"} <= document.keys():
        return set()
    listed = document.get(FILES, [path.name for path in always])
    return {path for path in possible if isinstance(listed, list) and path.name in listed}


def require_own(outputs: Mapping[str, Path], own: Collection[Path]) -> None:
    """Check that no file of another is where results go; the table alone may be, as its name was given.

    Raises:
        InputError: one is.
    """
    for kind, path in outputs.items():
        if kind != "csv" and os.path.lexists(path) and path not in own:
            raise InputError(
                f"{path}: results: must not take the place of a file that eeg predict did not write; choose another "
                "--out, or remove the file"
            )
