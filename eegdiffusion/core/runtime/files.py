"""Files that stages left behind, and files that are written whole or not at all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError, UnavailableError


def require_file(path: Path) -> Path:
    """Return the path of a file of a stage's result.

    Raises:
        InputError: there is no such file.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file, but params.yaml: matrix asks for it; run `dvc repro`")
    return path


@contextmanager
def written_whole(*paths: Path) -> Iterator[list[Path]]:
    """Write files of one folder together: what the block writes takes their places once it has ended without an error.

    Args:
        *paths: the files, in the order in which they appear.

    Yields:
        where the block writes them; each has the name of its file.

    Raises:
        UnavailableError: the system does not take them, as where the disk is full; what was there before stays.
    """
    folder = paths[0].parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as temporary:
            parts = [Path(temporary, path.name) for path in paths]
            yield parts
            for part, path in zip(parts, paths, strict=True):
                part.replace(path)
    except OSError as error:
        raise UnavailableError(
            f"{folder}: {', '.join(path.name for path in paths)}: could not be written ({error}); is the disk full, or "
            "the folder not yours? Then the same command again"
        ) from error
