"""Makes a recorded version again: code and parameters into a workspace, data from DVC, and the training stage anew."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from dvc.repo import Repo

from eegdiffusion.core.runtime import shell
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.git_repository import require_repository
from eegdiffusion.operations.orchestration.workspace import clone, share_storage
from eegdiffusion.operations.registry import provenance
from eegdiffusion.operations.registry.recorded_version import RecordedVersion

MARK = Path(".git/eeg-reproduce.json")


def open_workspace(record: RecordedVersion, repository: Path, workspace: Path) -> None:
    """Get back code and parameters: a clone at the revision, with what had not been committed, and with ``dvc.lock``.

    A workspace of the same version that is there already is kept.

    Args:
        record: what is recorded of the version.
        repository: clone that has the revision, or a remote that has it.
        workspace: the folder to make.

    Raises:
        InputError: the revision cannot be had, the changes do not fit it, or the folder is something else.
    """
    mark = {"model": record.name, "version": record.version, "revision": record.revision}
    if workspace.exists():
        existing_mark = workspace / MARK
        if not existing_mark.is_file() or json.loads(existing_mark.read_text()) != mark:
            raise InputError(f"{workspace}: is there already, and not of version {record.version} of {record.name}")
        return
    require_repository(repository)
    partial = workspace.with_name(f".{workspace.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    branch = f"reproduce/{record.name}-{record.version}"
    try:
        clone(repository, partial, record.revision, branch)
    except InputError:
        _fetch(repository, record.revision)
        clone(repository, partial, record.revision, branch)
    if record.patch:
        patch = partial / ".git" / provenance.PATCH
        patch.write_bytes(record.patch)
        try:
            shell.output("git", "apply", "--whitespace=nowarn", str(patch.absolute()), cwd=partial)
        except RuntimeError as error:
            raise InputError(f"{provenance.PATCH}: does not fit revision {record.revision}: {error}") from error
    (partial / "dvc.lock").write_text(record.lock)
    with Repo(str(repository)) as source:
        share_storage(source, partial)
    (partial / MARK).write_text(json.dumps(mark))
    partial.rename(workspace)


def _fetch(repository: Path, revision: str) -> None:
    """Ask the repository's remotes for a revision that it does not have."""
    try:
        shell.output("git", "fetch", "--quiet", "--all", cwd=repository)
    except RuntimeError as error:
        raise InputError(f"revision {revision}: {repository} does not have it, and its remotes: {error}") from error


def pull_data(record: RecordedVersion, workspace: Path) -> None:
    """Get back the data that the stage depended on, from DVC's cache, or else from its remote.

    Raises:
        InputError: neither has it.
    """
    paths = sorted(record.data)
    try:
        shell.output("dvc", "--wait-for-lock", "checkout", "--force", *paths, cwd=workspace)
    except RuntimeError:
        try:
            shell.output("dvc", "--wait-for-lock", "pull", "--force", *paths, cwd=workspace)
        except RuntimeError as error:
            raise InputError(
                f"{', '.join(paths)}: neither DVC's cache nor its remote has what version {record.version} of "
                f"{record.name} was trained on; `dvc push` it where it was trained: {error}"
            ) from error


def check_workspace(record: RecordedVersion, workspace: Path) -> None:
    """Check that code, parameters and data are those that ``dvc.lock`` recorded.

    Raises:
        InputError: something differs; the message names it.
    """
    status = json.loads(shell.output("dvc", "--wait-for-lock", "status", "--json", record.stage, cwd=workspace))
    changed = {}
    for finding in status.get(record.stage, []):
        if isinstance(finding, str):
            changed["command"] = finding
        else:
            changed |= finding.get("changed deps", {})
    if changed:
        names = ", ".join(f"{name} ({json.dumps(how)})" for name, how in sorted(changed.items()))
        raise InputError(
            f"revision {record.revision}: is not what {record.stage} was run with, by dvc.lock: {names}; it was "
            "changed between training and registration, or in a file that git does not track"
        )


def other_packages(workspace: Path) -> list[str]:
    """Return the packages whose installed version is not that of the workspace's ``requirements.lock``."""
    lock = workspace / "requirements.lock"
    wanted = re.findall(r"^([\w.-]+)==([\w.+!-]+)", lock.read_text(), re.MULTILINE) if lock.is_file() else []
    installed = {_canonical(package.name): package.version for package in importlib.metadata.distributions()}
    different = [(name, version) for name, version in wanted if installed.get(_canonical(name)) != version]
    return [f"{name} {version} (here {installed.get(_canonical(name), 'none')})" for name, version in different]


def _canonical(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def rerun_stage(record: RecordedVersion, workspace: Path) -> tuple[dict[str, float], bool]:
    """Run the stage again.

    Its MLflow run goes to the workspace's own store: the registry's experiments are not to hold copies.

    Returns:
        metrics of the result; whether all its files are the recorded ones, bit for bit.

    Raises:
        RuntimeError: the stage failed.
    """
    words = ["dvc", "--wait-for-lock", "repro", "--single-item", "--force", record.stage]
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    status = subprocess.call(words, cwd=workspace, env=environment)
    if status:
        raise RuntimeError(f"{' '.join(words)}: exit status {status}")
    metrics = json.loads((workspace / record.result / provenance.METRICS).read_text())
    origin = provenance.find_origin((workspace / "dvc.lock").read_text(), record.result)
    return {name: metrics[name] for name in record.scores}, origin is not None and origin.hash == record.hash
