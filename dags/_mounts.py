"""What a task's container sees of the host: the repository to read, runs and data to write, and nothing that is secret.

The repository is not mounted as a whole. Its entries are, each read-only, without those that hold passwords, Airflow's
code or git's configuration; in the place of ``.git`` is a mirror, which a worker refreshes.
"""

import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

from airflow.sdk.exceptions import AirflowFailException
from docker.types import Mount

HIDDEN = ("dags", "docker", "mlruns", "runs")
"""Entries of the repository that tasks do not see, beside those that begin with a dot."""

SHOWN = (".dvc", ".dvcignore", ".gitattributes", ".gitignore", ".python-version")
"""Entries that begin with a dot, and that tasks see."""

SECRETS = {
    "task_store": "/run/secrets/aws",
    "task_mlflow": "/tmp/.mlflow/credentials",
}
"""Files of the folder of the tasks' secrets, and where a task finds them."""

KEPT_MIRRORS = 5


def is_visible(name: str) -> bool:
    """Whether tasks see an entry of the repository.

    Args:
        name: the entry's name.
    """
    return name in SHOWN or not (name.startswith(".") or name in HIDDEN)


def task_mounts(repository: str, written: list[str], read: list[str], secrets: str) -> list[Mount]:
    """Return the mounts of a task's container; every folder has the same path inside and outside.

    Links and DVC's settings thus hold on both sides.

    Args:
        repository: the repository.
        written: folders that tasks write to.
        read: folders that tasks only read.
        secrets: folder of the tasks' secrets; empty for none.

    Raises:
        AirflowFailException: git refuses the repository.
    """
    visible = sorted(entry.path for entry in os.scandir(repository) if is_visible(entry.name))
    mounts = [Mount(target=path, source=path, type="bind", read_only=True) for path in [*visible, *read]]
    mounts += [Mount(target=path, source=path, type="bind") for path in written]
    if (Path(repository) / ".git").exists():
        mirror = refresh_mirror(repository)
        mounts.append(Mount(target=f"{repository}/.git", source=mirror, type="bind", read_only=True))
    if secrets:
        mounts += [
            Mount(target=target, source=f"{secrets}/{name}", type="bind", read_only=True)
            for name, target in SECRETS.items()
        ]
    # On the disk, and removed with its container: what a task writes there may be larger than its memory.
    mounts.append(Mount(target="/tmp", source=None, type="volume"))
    return mounts


def task_tmpfs(repository: str, user: str) -> dict[str, str]:
    """Return the file systems in memory of a task's container: the repository's folder itself, and DVC's locks in it.

    Args:
        repository: the repository.
        user: ``USER:GROUP`` of the container; git asks that the folder is that user's.
    """
    owner, _, group = user.partition(":")
    options = f"uid={owner},gid={group or 0},mode=0755,nosuid,nodev,noexec"
    return {repository: f"{options},ro,size=1m", f"{repository}/.dvc/tmp": f"{options},size=64m"}


def refresh_mirror(repository: str) -> str:
    """Make a mirror of the repository's ``.git``, unless there is one of the same commits; return its folder.

    It holds commits and branches, and neither hooks nor configuration, in which passwords may stand.

    Args:
        repository: the repository.

    Raises:
        AirflowFailException: git refuses the repository.
    """
    state = _git("-C", repository, "for-each-ref") + _git("-C", repository, "rev-parse", "--symbolic-full-name", "HEAD")
    mirrors = Path(repository) / ".work" / "mirrors"
    mirror = mirrors / sha256(state.encode()).hexdigest()[:16]
    if not mirror.is_dir():
        mirrors.mkdir(parents=True, exist_ok=True)
        partial = mirror.with_name(f"{mirror.name}.{os.getpid()}")
        shutil.rmtree(partial, ignore_errors=True)
        _git("clone", "--quiet", "--bare", "--no-hardlinks", "--template=", repository, str(partial))
        _index(partial)
        try:
            partial.rename(mirror)
        except OSError:  # another worker was faster
            shutil.rmtree(partial)
    for old in sorted(mirrors.iterdir(), key=lambda path: path.stat().st_mtime)[:-KEPT_MIRRORS]:
        if old != mirror:
            shutil.rmtree(old, ignore_errors=True)
    return str(mirror)


def _index(mirror: Path) -> None:
    """Let the mirror be the ``.git`` of a working tree in which what tasks do not see counts as unchanged."""
    _git("--git-dir", str(mirror), "config", "core.bare", "false")
    _git("--git-dir", str(mirror), "config", "--unset", "remote.origin.url")
    words = ["--git-dir", str(mirror), "--work-tree", str(mirror)]
    _git(*words, "read-tree", "HEAD")
    tracked = _git(*words, "ls-files", "-z").split("\0")
    hidden = [path for path in tracked if path and not is_visible(path.partition("/")[0])]
    _git(*words, "update-index", "-z", "--skip-worktree", "--stdin", stdin="\0".join(hidden))


def _git(*words: str, stdin: str = "") -> str:
    done = subprocess.run(["git", *words], input=stdin, capture_output=True, text=True)
    if done.returncode:
        raise AirflowFailException(f"git {' '.join(words)}: {done.stderr.strip()} Not retried.")
    return done.stdout
