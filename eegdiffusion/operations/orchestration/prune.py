"""Remove the workspaces of finished runs; what they made stays in DVC's storage, in MLflow and on their branches."""

import shutil
import time
from pathlib import Path

from eegdiffusion.core.runtime import shell


def prune(branches: Path, runs: Path, current: Path, keep: int, max_days: float) -> list[str]:
    """Remove the workspaces of finalized runs, except the newest. What a failed run left is never removed.

    Args:
        branches: the git repository whose branches say which runs are finalized.
        runs: folder of the workspaces.
        current: the workspace that is in use.
        keep: how many of the other finalized runs to keep.
        max_days: of those, the ones that were opened longer ago go as well; 0 for no limit.

    Returns:
        Names of the runs that were removed.
    """
    for half_removed in runs.glob(".*.removed"):
        shutil.rmtree(half_removed)
    finalized = [path for path in runs.glob("[!.]*/") if path != current and _is_finalized(branches, path)]
    newest_first = sorted(finalized, key=_opened, reverse=True)
    oldest_kept = time.time() - max_days * 86400 if max_days else 0
    removed = [path for number, path in enumerate(newest_first) if number >= keep or _opened(path) < oldest_kept]
    for path in removed:
        # Renamed first: half a workspace must never be taken for one.
        shutil.rmtree(path.rename(path.with_name(f".{path.name}.removed")))
    return [path.name for path in removed]


def _opened(workspace: Path) -> float:
    return (workspace / ".git" / "HEAD").stat().st_mtime


def _is_finalized(branches: Path, workspace: Path) -> bool:
    """Whether the run's branch there holds all that the workspace has recorded."""
    if not (workspace / ".git").is_dir():
        return False
    branch = f"refs/heads/retrain/{workspace.name}"
    recorded = shell.output("git", "for-each-ref", "--format=%(objectname)", branch, cwd=branches)
    changed = shell.output("git", "status", "--porcelain", "--untracked-files=no", cwd=workspace)
    return not changed and recorded == shell.output("git", "rev-parse", "HEAD", cwd=workspace)
