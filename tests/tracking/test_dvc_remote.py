"""Who can write to DVC's remote changes no data unseen: what is downloaded must have its recorded hash."""

import shutil
from contextlib import chdir

import pytest
from dvc.exceptions import CheckoutError
from dvc.repo import Repo

from eegdiffusion.operations.orchestration.workspace import clone, share_storage
from tests.e2e.workspace import ROOT, command

HONEST, FORGED = {"a.json": "honest a", "b.json": "honest b"}, "forged b"


def _forge(remote):
    """Change the bytes of a file in the remote, and keep their number."""
    (path,) = (path for path in remote.rglob("*") if path.is_file() and path.read_text() == HONEST["b.json"])
    path.chmod(0o644)
    path.write_text(FORGED)


def _commit(folder):
    command(folder, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qam", "change")


@pytest.fixture
def repository(tmp_path):
    """A repository with this one's settings of DVC, which has pushed a folder; the remote's copy is forged then."""
    folder = tmp_path / "place/repository"
    (folder / ".dvc").mkdir(parents=True)
    with chdir(folder):
        command(folder, "git", "init", "-q")
        shutil.copy(ROOT / ".dvc/config", ".dvc/config")
        shutil.copy(ROOT / ".dvc/.gitignore", ".dvc/.gitignore")
        (folder / "data").mkdir()
        for name, text in HONEST.items():
            (folder / "data" / name).write_text(text)
        with Repo() as repo:
            repo.add("data")
            repo.push()
            assert (folder.parent / "dvc-storage").is_dir(), "the remote is a folder beside the clone"
        command(folder, "git", "add", "data.dvc", ".dvc/config", ".dvc/.gitignore")
        _commit(folder)
        shutil.rmtree(".dvc/cache")
        shutil.rmtree("data")
        shutil.rmtree(".cache", ignore_errors=True)
        _forge(folder.parent / "dvc-storage")
    return folder


def _pull(folder):
    with chdir(folder), Repo() as repo:
        repo.pull()


def _without_verifying(folder):
    text = (folder / ".dvc/config").read_text()
    assert "    verify = true\n" in text
    (folder / ".dvc/config").write_text(text.replace("    verify = true\n", ""))


def test_what_was_changed_in_the_remote_is_not_taken(repository):
    with pytest.raises(CheckoutError, match="data"):
        _pull(repository)
    assert not (repository / "data/b.json").exists()
    with pytest.raises(CheckoutError, match="data"):
        _pull(repository)  # nor is it left in the cache, to be taken next time


def test_it_would_be_taken_without_comparing(repository):
    _without_verifying(repository)
    _pull(repository)
    assert (repository / "data/b.json").read_text() == FORGED


def test_a_workspace_compares_though_its_revision_does_not_ask_for_it(repository, tmp_path):
    _without_verifying(repository)
    _commit(repository)
    workspace = tmp_path / "workspace"
    clone(repository, workspace, "HEAD", "run")
    with Repo(str(repository)) as source:
        share_storage(source, workspace)
    with pytest.raises(CheckoutError, match="data"):
        _pull(workspace)
    assert not (workspace / "data/b.json").exists()
