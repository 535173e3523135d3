"""Run the tasks of a run where no file system is shared: each in a fresh clone, e.g. a pod.

The commands run in a clone of the git remote: ``open`` in one of its default branch, the others in one of the run's
branch ``retrain/<run>``. Data go through DVC's remote, what the stages recorded through fragments of ``dvc.lock``.

    python -m eegdiffusion.operations.orchestration.isolated open --run ID --branch retrain/ID [...]
    python -m eegdiffusion.operations.orchestration.isolated stage pretrain_ssmdp@base  # pulls its inputs only
    python -m eegdiffusion.operations.orchestration.isolated finalize
    python -m eegdiffusion.operations.orchestration.isolated after models COMMAND...    # pulls models/, then runs
"""

import argparse
import json
import os
from pathlib import Path

import yaml
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo
from dvc.stage import PipelineStage

from eegdiffusion.core.runtime import shell
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.git_repository import require_repository
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.operations.orchestration import fragments
from eegdiffusion.operations.orchestration.finalize import push_data
from eegdiffusion.operations.orchestration.open_run import check_stages, set_params
from eegdiffusion.operations.orchestration.run_stage import run_stage
from eegdiffusion.operations.orchestration.workspace import find_commit

BRANCHES = "retrain/"
TRAILER = "EEG-Run"


def open_branch(clone: Path, branch: str, run: str, revision: str, overrides: dict, stages: list[str]) -> None:
    """Push the branch of a run, or find it as an earlier try pushed it.

    Args:
        clone: a clone of the git remote.
        branch: the branch to push.
        run: the orchestrator's name of the run.
        revision: where the branch starts; empty for the remote's default branch.
        overrides: values of ``params.yaml`` for this run, by dotted name.
        stages: the stages that the run will be asked for; none for no check.

    Raises:
        InputError: the revision, an override or a source of data does not exist, the stages are others, or the branch
            belongs to another run.
    """
    require_repository(clone)
    if shell.output("git", "ls-remote", "--heads", "origin", f"refs/heads/{branch}", cwd=clone):
        shell.output("git", "fetch", "--quiet", "origin", branch, cwd=clone)
        log = ["git", "log", f"--format=%(trailers:key={TRAILER},valueonly)", "FETCH_HEAD"]
        owner = next(line for line in shell.output(*log, cwd=clone).splitlines() if line)
        if owner != run:
            raise InputError(f"{branch}: is the branch of the run {owner}, not of {run}")
        say(f"{branch}: resumed")
        return
    commit = find_commit(clone, revision)
    shell.output("git", "checkout", "--quiet", "-B", branch, commit, cwd=clone)
    set_params(clone, overrides, run)
    with Repo(str(clone)) as repo:
        stages_of_clone = repo.index.stages
        check_stages({stage.name for stage in stages_of_clone if isinstance(stage, PipelineStage)}, stages)
        _check_sources(clone, stages_of_clone)
    message = f"Open the run {run}\n\n{TRAILER}: {run}"
    shell.output("git", *shell.AUTHOR, "commit", "--quiet", "--allow-empty", "--message", message, cwd=clone)
    shell.output("git", "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}", cwd=clone)
    say(f"{branch}: {shell.output('git', 'log', '-1', '--format=%H', cwd=clone)}")


def _check_sources(clone: Path, stages: list) -> None:
    """Check that sources of data are mounted in every pod: a path within the repository would be empty in a clone."""
    outputs = [Path(out.fs_path) for stage in stages for out in stage.outs]
    for dep in (dep for stage in stages for dep in stage.deps if not isinstance(dep, ParamsDependency)):
        path = Path(dep.fs_path)
        if path.exists() or any(path.is_relative_to(out) or out.is_relative_to(path) for out in outputs):
            continue
        if path.is_relative_to(clone):
            raise InputError(
                f"{path.relative_to(clone)}: a stage depends on it and git does not hold it; without a shared file "
                "system its path must be absolute, and mounted in every pod"
            )


def run_isolated(clone: Path, stage: str) -> int:
    """Run one stage in a clone of the run's branch; push its data, then its fragment.

    Only the stage's direct dependencies are pulled, and none if nothing has changed.

    Returns:
        0, 65 for bad input, or DVC's exit status.
    """
    run = _run(clone)
    lock, options = fragments.fetch(clone, run).lock_for(stage)
    fragments.write(clone, lock)
    _keep_checkpoints(clone, run)
    if status := run_stage(stage, *options):
        return status
    # The fragment comes last: where it is, the data are.
    push_data(clone, stage)
    fragments.publish(clone, run, stage)
    return 0


def finalize(clone: Path) -> str:
    """Record the union of all fragments as the branch's ``dvc.lock``.

    Raises:
        RuntimeError: a stage would run again with that lock.
    """
    run = _run(clone)
    recorded = fragments.fetch(clone, run)
    fragments.write(clone, recorded.lock)
    with Repo(str(clone)) as repo:
        names = [stage.name for stage in repo.index.stages if isinstance(stage, PipelineStage)]
        stale = [name for name in names if not recorded.settled(name)]
        stale = stale or [stage.name for stage in repo.reproduce(dry=True, allow_missing=True)]
    if stale:
        raise RuntimeError(f"{branch_of(run)}: out of date: {', '.join(stale)}")
    shell.commit(clone, f"Record the results of {run}", fragments.LOCK)
    shell.output("git", "push", "--quiet", "origin", f"HEAD:refs/heads/{branch_of(run)}", cwd=clone)
    fragments.remove(clone, run, list(recorded.fragments))
    return branch_of(run)


def pull(clone: Path, folder: str) -> None:
    """Pull the outputs of all stages that are in ``folder``."""
    lock = yaml.safe_load((clone / fragments.LOCK).read_text())
    outs = [out["path"] for stage in lock["stages"].values() for out in stage.get("outs", [])]
    chosen = [path for path in outs if Path(path).is_relative_to(folder)]
    if chosen:
        say(*shell.output("dvc", "--wait-for-lock", "pull", *chosen, cwd=clone).split("\n"))


def branch_of(run: str) -> str:
    """Name the branch of a run."""
    return f"{BRANCHES}{run}"


def _run(clone: Path) -> str:
    return shell.output("git", "branch", "--show-current", cwd=clone).removeprefix(BRANCHES)


def _keep_checkpoints(clone: Path, run: str) -> None:
    """Keep checkpoints on the volume for them, where one is mounted: a lost pod's training goes on from there."""
    kept = os.environ.get("EEG_CHECKPOINTS")
    if kept and not (clone / ".work").exists():
        folder = Path(kept) / run
        folder.mkdir(parents=True, exist_ok=True)
        (clone / ".work").symlink_to(folder)


def main() -> int | None:
    """Open a run's branch, run a stage in a clone, close the run, or run a command after a pull of data."""
    parser = argparse.ArgumentParser(prog="python -m eegdiffusion.operations.orchestration.isolated")
    actions = parser.add_subparsers(dest="action", required=True)
    opening = actions.add_parser("open")
    opening.add_argument("--run", required=True, help="the orchestrator's name of the run")
    opening.add_argument("--branch", required=True)
    opening.add_argument("--revision", default="", help="default: the default branch")
    opening.add_argument("--overrides", type=json.loads, default={}, help="JSON: values by dotted name")
    opening.add_argument("--stages", nargs="*", default=[], help="the stages that the run will be asked for")
    actions.add_parser("stage").add_argument("stage")
    actions.add_parser("finalize")
    after = actions.add_parser("after")
    after.add_argument("folder")
    after.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    clone = Path.cwd()
    match options.action:
        case "open":
            open_branch(clone, options.branch, options.run, options.revision, options.overrides, options.stages)
        case "stage":
            return run_isolated(clone, options.stage)
        case "finalize":
            say(finalize(clone))
        case "after":
            pull(clone, options.folder)
            os.execvp(options.command[0], options.command)
    return None


if __name__ == "__main__":
    shell.run("isolated", main)
