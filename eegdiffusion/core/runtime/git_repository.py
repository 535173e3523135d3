"""The git repository that a folder is in, and what git has to say against it."""

import shlex
import shutil
import subprocess
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError

DVC_LOCK = "dvc.lock"
"""File that DVC writes while stages run; that it differs from the commit says nothing of the code."""


def git(*arguments: str) -> str:
    """Return what a command of git prints in the working folder, stripped."""
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.strip()


def checked_out_revision() -> str:
    """Return the commit of the working folder; ``-dirty`` follows where a tracked file but ``dvc.lock`` differs.

    Empty where there is no repository, no commit yet, or the folder lies in another's repository, which does not track
    it: an archive that was unpacked there.

    Raises:
        InputError: git refuses the repository.
    """
    if not is_repository(Path()):
        return ""
    for question in (["rev-parse", "--verify", "--quiet", "HEAD"], ["ls-files", "--error-unmatch", "--", "."]):
        if subprocess.run(["git", *question], capture_output=True).returncode:
            return ""
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", f":(exclude){DVC_LOCK}")
    return git("rev-parse", "HEAD") + ("-dirty" if changed else "")


def is_repository(folder: Path) -> bool:
    """Whether git works in a folder: a clone, a copy or a worktree; not what was downloaded as an archive.

    Args:
        folder: any folder.

    Raises:
        InputError: there is a repository, and git refuses it: it belongs to another user, or is damaged.
    """
    if shutil.which("git") is None:
        return False
    words = ["git", "rev-parse", "--show-toplevel"]
    process = subprocess.run(words, cwd=folder, capture_output=True, text=True, errors="replace")
    if process.returncode == 0:
        return True
    said = " ".join(process.stderr.split()).removeprefix("fatal: ")
    if "dubious ownership" in said:
        owned = next(
            (above for above in (folder.resolve(), *folder.resolve().parents) if (above / ".git").exists()), folder
        )
        raise InputError(
            f"{owned}: belongs to another user, so git refuses it; if you trust it: "
            f"`git config --global --add safe.directory {shlex.quote(str(owned))}`"
        )
    if "not a git repository" in said and not (folder / ".git").exists():
        return False
    raise InputError(f"{folder}: git refuses this repository: {said}")


def require_repository(folder: Path) -> None:
    """Check that git works in a folder, before anything that needs it begins.

    Raises:
        InputError: git is not installed, the folder is in no repository, or git refuses it.
    """
    if shutil.which("git") is None:
        raise InputError(f"{folder}: git is not installed, and DVC, which runs the stages, needs it")
    if not is_repository(folder):
        raise InputError(
            f"{folder}: is no git repository (an archive that was downloaded is none); clone the project, make one by "
            "`git init && git add --all && git commit --message start`, or run without: `dvc config core.no_scm true`"
        )
