"""The clone of the repository that a command acts on: the nearest folder upward that holds ``dvc.yaml``."""

import hashlib
import os
import sys
from pathlib import Path

import eegdiffusion
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.private_files import keep_private

GRAPH = "dvc.yaml"

STAMP = Path(".venv", ".installed")
"""File of the environment with the SHA-256 of the lock that it was made from; written by ``make env``."""

LOCK = Path("requirements.lock")

DVC_SITE_CACHE, SITE_CACHE = "DVC_SITE_CACHE_DIR", Path(".cache", "dvc")
"""Where DVC keeps an index that it unpickles: by itself below /var/tmp, in a folder that all accounts may write to."""


def find(start: Path) -> Path | None:
    """Return the nearest folder from ``start`` upward that holds ``dvc.yaml``, or None."""
    return next((folder for folder in (start, *start.parents) if (folder / GRAPH).is_file()), None)


def refuse_another_package(root: Path) -> None:
    """Check that the library imported is the clone's own, where the clone has one.

    Raises:
        InputError: it is another; one version of the code would run the stages of another.
    """
    own, imported = root / "eegdiffusion", Path(eegdiffusion.__file__).parent
    if own.is_dir() and own.resolve() != imported.resolve():
        raise InputError(
            f"{own}: the library imported is another, {imported}; run this clone's own "
            f"`{root / '.venv/bin/eeg'}` (`make env` installs it), or `cd {root} && python -m eegdiffusion.commands`"
        )


def stale_environment(root: Path) -> str | None:
    """Say in a line that the clone's environment was made for another lock, or return None.

    Only an environment that runs now and is the clone's own is looked at.
    """
    stamp, lock = root / STAMP, root / LOCK
    if not (stamp.is_file() and lock.is_file() and Path(sys.prefix).resolve() == stamp.parent.resolve()):
        return None
    recorded = stamp.read_text().strip()
    if recorded:
        fits = recorded == hashlib.sha256(lock.read_bytes()).hexdigest()
    else:  # of a time when the stamp had no content
        fits = stamp.stat().st_mtime >= lock.stat().st_mtime
    return None if fits else f"{stamp.parent}: was made for another {LOCK}; run `make env`"


def enter(required: bool) -> Path | None:
    """Work in the clone: its root becomes the working directory and the first place of ``sys.path``.

    The environment's programs come first in ``PATH``, in a clone or outside, so that stages and servers find them where
    nothing is activated.

    Args:
        required: whether the command needs a clone.

    Returns:
        the root, or None outside of a clone.

    Raises:
        InputError: the command needs a clone and there is none, or the clone has another ``eegdiffusion``.
    """
    programs, path = str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)
    if path.split(os.pathsep)[0] != programs:
        os.environ["PATH"] = os.pathsep.join([programs, path])
    folder = Path.cwd()
    root = find(folder)
    if root is None:
        if required:
            raise InputError(f"{folder}: no folder from here upward holds {GRAPH}; cd into a clone of the repository")
        return None
    refuse_another_package(root)
    os.chdir(root)
    keep_private(root)
    os.environ.setdefault(DVC_SITE_CACHE, str(root / SITE_CACHE))
    if str(root) not in sys.path[:1]:
        sys.path.insert(0, str(root))
    if line := stale_environment(root):
        say(f"eeg: {line}", stream=sys.stderr)
    return root
