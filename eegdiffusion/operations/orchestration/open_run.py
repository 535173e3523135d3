"""Open the workspace of a run: ``python -m eegdiffusion.operations.orchestration.open_run``.

A workspace is a clone of the repository at one revision, on a branch ``retrain/<name of the folder>``, with DVC's cache
and remotes of the repository, and links to the data that no stage makes. It is made beside its final path and renamed,
so that half a workspace is never taken for one. One that exists already is kept: the run is resumed.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

from dvc.repo import Repo
from dvc.stage import PipelineStage

from eegdiffusion.core.runtime import shell
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.settings import PARAMS
from eegdiffusion.operations.configuration.overrides import require_overridable
from eegdiffusion.operations.orchestration.prune import prune
from eegdiffusion.operations.orchestration.workspace import clone, copy_records, link_sources, share_storage

RECORD = Path(".git/eeg-run.json")


def open_run(
    repository: Path, branches: Path, workspace: Path, run: str, revision: str, overrides: dict, stages: list[str]
) -> None:
    """Make the workspace of a run, or find it as an earlier try left it.

    Args:
        repository: the repository.
        branches: the git repository to which the run pushes its branch: that one, or one that is made where it is not.
        workspace: the folder to make.
        run: the orchestrator's name of the run.
        revision: what to check out; empty for the repository's HEAD with its ``params.yaml`` as it stands.
        overrides: values of ``params.yaml`` for this run, by dotted name.
        stages: the stages that the run will be asked for; none for no check.

    Raises:
        InputError: the revision, an override or a source of data does not exist, the stages are others, or the
            workspace belongs to another run.
    """
    if workspace.exists():
        owner = json.loads((workspace / RECORD).read_text())["run"]
        if owner != run:
            raise InputError(f"{workspace}: is the workspace of the run {owner}, not of {run}")
        say(f"{workspace}: resumed")
        return
    partial = workspace.with_name(f".{workspace.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    clone(repository, partial, revision, f"retrain/{workspace.name}")
    if branches != repository:
        shell.output("git", "init", "--quiet", "--bare", str(branches), cwd=partial)
        shell.output("git", "remote", "set-url", "--push", "origin", str(branches), cwd=partial)
    if not revision:
        _warn_of_changes(repository)
        if (repository / PARAMS).is_file():
            shutil.copyfile(repository / PARAMS, partial / PARAMS)
    set_params(partial, overrides, run)
    with Repo(str(repository)) as source:
        share_storage(source, partial)
    copy_records(repository, partial)
    with Repo(str(partial)) as repo:
        stages_of_clone = repo.index.stages
        check_stages({stage.name for stage in stages_of_clone if isinstance(stage, PipelineStage)}, stages)
        link_sources(repository, partial, stages_of_clone)
    (partial / RECORD).write_text(json.dumps({"run": run, "overrides": overrides}))
    partial.rename(workspace)
    say(f"{workspace}: {shell.output('git', 'log', '-1', '--format=%H %s', cwd=workspace)}")


def _warn_of_changes(repository: Path) -> None:
    changed = shell.output("git", "status", "--porcelain", "--untracked-files=no", cwd=repository).splitlines()
    left_out = [line for line in changed if line.split()[-1] not in (PARAMS.name, "dvc.lock")]
    if left_out:
        say("Not committed in the repository, and thus not in this run:", *(f"  {line}" for line in left_out))


def set_params(clone: Path, overrides: dict, run: str) -> None:
    """Set fields of the clone's ``params.yaml`` and commit what differs.

    Raises:
        InputError: there is no such field, no run may set it, or the value is not allowed.
    """
    require_overridable(overrides)
    assignments = [f"{name}={json.dumps(value)}" for name, value in overrides.items()]
    if assignments:
        try:
            shell.output(sys.executable, "-m", "eegdiffusion.commands", "params", "set", *assignments, cwd=clone)
        except RuntimeError as error:
            raise InputError(f"overrides: {str(error).splitlines()[-1]}") from error
    if (clone / PARAMS).is_file():
        shell.commit(clone, f"Set the parameters of the run {run}", PARAMS.name)


def check_stages(actual: set[str], expected: list[str]) -> None:
    """Refuse a graph whose stages are not those that the run will be asked for (none for no check)."""
    if expected and actual != set(expected):
        names = ", ".join(sorted(actual ^ set(expected)))
        raise InputError(
            f"stages: this run's are not those of the DAG ({names}); set what changes a matrix in the repository's "
            "params.yaml, from which the DAG is made, not for one run"
        )


def main() -> None:
    """Open a run's workspace, and remove those of the oldest finished runs."""
    parser = argparse.ArgumentParser(
        prog="python -m eegdiffusion.operations.orchestration.open_run", description=__doc__
    )
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--run", required=True, help="the orchestrator's name of the run")
    parser.add_argument("--revision", default="", help="default: HEAD, with params.yaml as it stands")
    parser.add_argument("--overrides", type=json.loads, default={}, help="JSON: values by dotted name")
    parser.add_argument("--stages", nargs="*", default=[], help="the stages that the run will be asked for")
    options = parser.parse_args()
    repository, workspace = options.repository.resolve(), options.workspace.absolute()
    branches = Path(os.environ.get("EEG_BRANCHES") or repository).resolve()
    open_run(repository, branches, workspace, options.run, options.revision, options.overrides, options.stages)
    keep, max_days = int(os.environ.get("EEG_KEEP_RUNS") or 10), float(os.environ.get("EEG_KEEP_DAYS") or 0)
    if removed := prune(branches, workspace.parent, workspace, keep, max_days):
        say(f"Removed the workspaces of finished runs: {', '.join(removed)}")


if __name__ == "__main__":
    shell.run("open_run", main)
