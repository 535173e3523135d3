"""Finalize a run: ``python -m eegdiffusion.operations.orchestration.finalize``, in its workspace.

Checks that nothing is out of date, pushes the data to DVC's remote, and records ``dvc.lock`` on the run's branch in the
repository, and beside its models when and where the stages ran. Each step may be repeated.
"""

import json
import time
from pathlib import Path

from eegdiffusion.core.runtime import shell
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.operations.orchestration.workspace import return_records


def push_data(workspace: Path, *stages: str, attempts: int = 4, wait: float = 5.0) -> None:
    """Push what stages (default: all) made to DVC's remote.

    Args:
        workspace: where they ran.
        stages: names of the stages, as DVC has them.
        attempts: how often to try to reach the remote.
        wait: seconds before the second attempt; doubled for each further one.

    Raises:
        RuntimeError: the remote cannot be reached.
    """
    for attempt in range(1, attempts + 1):
        try:
            say(*shell.output("dvc", "--wait-for-lock", "push", *stages, cwd=workspace).split("\n"))
            return
        except RuntimeError as error:
            if attempt == attempts:
                raise
            say(*str(error).split("\n"), f"Again in {wait:g} s")
            time.sleep(wait)
            wait *= 2


def finalize_run(workspace: Path) -> str:
    """Finalize the run of a workspace.

    Args:
        workspace: the run's workspace.

    Returns:
        The name of the branch.

    Raises:
        RuntimeError: a stage is out of date, or the remote or the repository cannot be reached.
    """
    changed = json.loads(shell.output("dvc", "--wait-for-lock", "status", "--json", cwd=workspace))
    if changed:
        raise RuntimeError(f"dvc status: out of date: {json.dumps(changed)}")
    push_data(workspace)
    shell.commit(workspace, f"Record the results of {workspace.name}", "dvc.lock")
    branch = shell.output("git", "branch", "--show-current", cwd=workspace)
    shell.output("git", "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}", cwd=workspace)
    origin = Path(shell.output("git", "remote", "get-url", "origin", cwd=workspace))
    if origin.is_dir():  # else it is on another machine
        return_records(workspace, origin)
    return branch


if __name__ == "__main__":
    say(finalize_run(Path.cwd()))
