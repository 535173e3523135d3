"""Clones of the repository to work in: with DVC's cache and remotes of the repository, and links to its sources."""

import shutil
from pathlib import Path

from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo

from eegdiffusion.core.runtime import shell
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.git_repository import require_repository
from eegdiffusion.core.runtime.run_record import RECORDS
from eegdiffusion.events.results.champion_predictions import CHAMPIONS


def find_commit(repository: Path, revision: str) -> str:
    """Name the commit of a revision (default: HEAD).

    Raises:
        InputError: there is no such revision, or git refuses the repository.
    """
    require_repository(repository)
    name = revision or "HEAD"
    try:
        return shell.output("git", "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}", cwd=repository)
    except RuntimeError as error:
        raise InputError(f"revision: {name!r} is not in {repository}") from error


def clone(repository: Path, folder: Path, revision: str, branch: str) -> None:
    """Clone a repository at a revision, on a branch of that name.

    Args:
        repository: what to clone.
        folder: where to.
        revision: anything that names a commit (default: HEAD).
        branch: made, or moved.

    Raises:
        InputError: the revision is not in the repository.
    """
    commit = find_commit(repository, revision)
    shell.output("git", "clone", "--quiet", "--no-checkout", str(repository), str(folder), cwd=repository)
    shell.output("git", "checkout", "--quiet", "-B", branch, commit, cwd=folder)


def share_storage(source: Repo, folder: Path) -> None:
    """Give a clone the repository's cache and remotes; DVC's relative paths would lead elsewhere from there.

    What comes from a remote is compared with its hash, also where the revision or the user's remote does not say so.
    """
    local = Path(source.local_dvc_dir or source.dvc_dir) / "config.local"
    if local.is_file():
        shutil.copyfile(local, folder / ".dvc" / "config.local")
    shell.output("dvc", "config", "--local", "cache.dir", source.cache.local_cache_dir, cwd=folder)
    for name, remote in source.config["remote"].items():
        if "://" not in str(remote["url"]):
            shell.output("dvc", "remote", "modify", "--local", name, "url", str(remote["url"]), cwd=folder)
        if not str(remote["url"]).startswith("hdfs:"):  # DVC has no such option there
            shell.output("dvc", "remote", "modify", "--local", name, "verify", "true", cwd=folder)


def copy_records(repository: Path, folder: Path) -> None:
    """Give a clone what the report reads and DVC does not know: records of runs, and predictions of champions."""
    for path in (RECORDS, CHAMPIONS):
        if (repository / path).is_dir():
            shutil.copytree(repository / path, folder / path, dirs_exist_ok=True)


def return_records(workspace: Path, repository: Path) -> None:
    """Give a repository the records of the stages that ran in a workspace, beside its own.

    A record is taken for results that have its signature alone, so that those of both may lie side by side.
    """
    for path in sorted((workspace / RECORDS).glob("*/*.json")):
        own = repository / path.relative_to(workspace)
        if own.is_file() and own.read_bytes() == path.read_bytes():
            continue
        own.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, own.with_name(f"{path.stem}.{workspace.name}.json"))


def link_sources(repository: Path, folder: Path, stages: list) -> None:
    """Link what stages depend on and no stage makes, where the clone does not have it.

    Args:
        repository: the repository that was cloned, which has the data.
        folder: the clone.
        stages: DVC's stages of the clone.

    Raises:
        InputError: the repository does not have it either.
    """
    outputs = [Path(out.fs_path) for stage in stages for out in stage.outs]
    for stage in stages:
        for dep in stage.deps:
            path = Path(dep.fs_path)
            if isinstance(dep, ParamsDependency) or path.exists():
                continue
            if any(path.is_relative_to(out) or out.is_relative_to(path) for out in outputs):
                continue
            target = repository / path.relative_to(folder) if path.is_relative_to(folder) else path
            if not target.exists():
                raise InputError(f"{target}: a stage ({stage.cmd}) depends on it, and it does not exist")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target.resolve())
