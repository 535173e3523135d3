"""Files that stages left behind."""

from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError


def require_file(path: Path) -> Path:
    """Return the path of a file of a stage's result.

    Raises:
        InputError: there is no such file.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file, but params.yaml: matrix asks for it; run `dvc repro`")
    return path
