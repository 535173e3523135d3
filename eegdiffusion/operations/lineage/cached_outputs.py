"""Files of outputs by DVC's hashes: from the cache, where a hash can stand for no other content."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.operations.lineage.locked_graph import LockedPath

FOLDER = ".dir"
"""How the hash of a folder ends."""


def file_md5(path: Path) -> str:
    """Return the MD5 of a file, by which DVC knows it."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def folder_hash(manifest: Mapping[str, str]) -> str:
    """Return DVC's hash of a folder.

    Args:
        manifest: path in the folder -> MD5 of the file.
    """
    rows = [{"md5": md5, "relpath": path} for path, md5 in sorted(manifest.items())]
    return hashlib.md5(json.dumps(rows, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + FOLDER


@dataclass(frozen=True)
class CachedOutputs:
    """DVC's cache of a clone.

    Attributes:
        folder: folder of the cache, e.g. ``.dvc/cache``.
    """

    folder: Path

    def path(self, md5: str) -> Path:
        """Return the path under which the cache holds a hash, whether or not it does."""
        return self.folder / "files" / "md5" / md5[:2] / md5[2:]

    def manifest(self, md5: str) -> dict[str, str] | None:
        """Return the files of a folder as path in it -> MD5; None where the cache does not have it."""
        path = self.path(md5)
        if not path.is_file():
            return None
        return {row["relpath"]: row["md5"] for row in json.loads(path.read_bytes())}

    def file_in(self, output: LockedPath, name: str) -> Path:
        """Return a file of an output's folder as it was when it was recorded.

        Args:
            output: the folder.
            name: path in it.

        Returns:
            the path of the file in the cache, or of the one that lies in the workspace and has the same content.

        Raises:
            InputError: neither is there, or the output had no such file.
        """
        manifest = self.manifest(output.md5)
        if manifest is not None and name not in manifest:
            raise InputError(
                f"{output.path}/{name}: is not among the files of {output.path} by dvc.lock ({output.md5})"
            )
        here = Path(output.path, name)
        if manifest is None:
            raise InputError(
                f"{output.path}: DVC's cache does not have what dvc.lock names ({output.md5}); "
                f"`dvc fetch {output.path}` brings it"
            )
        cached = self.path(manifest[name])
        if cached.is_file():
            return cached
        if here.is_file() and file_md5(here) == manifest[name]:
            return here
        raise InputError(
            f"{here}: neither DVC's cache nor this folder has what dvc.lock names ({manifest[name]}); "
            f"`dvc fetch {output.path}` brings it"
        )

    def agrees(self, data: LockedPath, outputs: Sequence[LockedPath]) -> bool | None:
        """Whether what a stage has read is what other stages wrote last.

        Args:
            data: what was read.
            outputs: the outputs that it is, is in, or holds.

        Returns:
            False: something was made again since, so that ``dvc repro`` would run the reader. None: it cannot be said,
            as the cache does not have a folder.
        """
        if any(output.path == data.path for output in outputs):
            return all(output.md5 == data.md5 for output in outputs)
        manifest: dict[str, str] = {}
        for output in outputs:
            files = self.manifest(output.md5) if output.md5.endswith(FOLDER) else {"": output.md5}
            if files is None:
                return None
            manifest |= {f"{output.path}/{name}".rstrip("/"): md5 for name, md5 in files.items()}
        if data.path in manifest:
            return manifest[data.path] == data.md5
        manifest |= self._of_no_stage(data, outputs)
        beginning = f"{data.path}/"
        inside = {path.removeprefix(beginning): md5 for path, md5 in manifest.items() if path.startswith(beginning)}
        return folder_hash(inside) == data.md5

    @staticmethod
    def _of_no_stage(data: LockedPath, outputs: Sequence[LockedPath]) -> dict[str, str]:
        """Return the files of a folder that no stage wrote, such as ``.gitignore``, with their MD5."""
        written = tuple(f"{output.path}/" for output in outputs)
        paths = (path for path in Path(data.path).rglob("*") if path.is_file())
        return {path.as_posix(): file_md5(path) for path in paths if not f"{path.as_posix()}/".startswith(written)}
