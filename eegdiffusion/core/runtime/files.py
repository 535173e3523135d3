"""Files that stages left behind."""

from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError


def there(path: Path) -> Path:
    """Return the path of a result's file.

    Raises:
        InputError: it is not there.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file, but params.yaml: matrix asks for it; run `dvc repro`")
    return path
