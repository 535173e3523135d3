"""A workspace in which stages of the images' branch run one after the other, in the test's own process."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.workspace import ROOT, command
from tests.surrogate_source import CACHE


def link_packages(path: Path) -> None:
    """Give a workspace the project's packages: stages read contracts and code from where they run."""
    for package in ("components", "eegdiffusion"):
        if not (path / package).exists():
            (path / package).symlink_to(ROOT / package)


def commit(path: Path) -> None:
    """Make a repository with the stages' contracts and one commit: runs say which they come from."""
    shutil.copy(ROOT / ".gitignore", path)
    link_packages(path)
    who = ["-c", "user.name=t", "-c", "user.email=t@t"]
    for words in (["init", "-q"], ["add", ".gitignore"], [*who, "commit", "-qm", "start"]):
        command(path, "git", *words)


@contextmanager
def entered(path: Path, registry: bool = False) -> Iterator[Path]:
    """Work in a folder that has the demo's downloads and a commit.

    Args:
        path: the folder, empty.
        registry: whether models are registered from it as well.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        Path("data").mkdir()
        Path("data/cache").symlink_to(CACHE)
        if registry:
            shutil.copytree(ROOT / "mlflow", "mlflow")
        commit(path)
        yield path
