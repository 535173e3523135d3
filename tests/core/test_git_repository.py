"""Where git works and where it does not: clones, copies, worktrees, archives, folders of another user."""

import os
import shutil
import subprocess

import pytest

from eegdiffusion.core.observe.tracking import lineage
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.git_repository import checked_out_revision, is_repository, require_repository

WHO = ("-c", "user.name=t", "-c", "user.email=t@t")


def git(folder, *words):
    done = subprocess.run(["git", *WHO, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with a commit, and no settings of git but its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    folder = tmp_path / "with a space"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "file").write_text("1")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "start")
    return folder


def test_clone_copy_and_worktree_each_work(repository, tmp_path, monkeypatch):
    git(tmp_path, "clone", "-q", str(repository), "clone")
    shutil.copytree(repository, tmp_path / "copy")
    git(repository, "worktree", "add", "-q", str(tmp_path / "tree"))
    for name in ("clone", "copy", "tree"):
        require_repository(tmp_path / name)
        monkeypatch.chdir(tmp_path / name)
        assert checked_out_revision() == git(repository, "rev-parse", "HEAD")
        (tmp_path / name / "file").write_text("2")
        assert checked_out_revision().endswith("-dirty")


def test_an_archive_has_no_revision_and_is_said_where_git_is_needed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not is_repository(tmp_path)
    assert "git.revision" not in lineage.tags("x")
    with pytest.raises(InputError, match=r"is no git repository .* clone the project, make one by `git init"):
        require_repository(tmp_path)


def test_an_archive_unpacked_in_anothers_repository_has_not_its_revision(repository, monkeypatch):
    folder = repository / "unpacked"
    folder.mkdir()
    (folder / "dvc.yaml").write_text("stages: {}")
    monkeypatch.chdir(folder)
    assert checked_out_revision() == ""
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "a folder of the repository is no stranger")
    assert checked_out_revision() == git(repository, "rev-parse", "HEAD")


def test_a_repository_without_a_commit_has_no_revision(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q")
    require_repository(tmp_path)
    assert checked_out_revision() == ""
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "start")
    git(tmp_path, "checkout", "-q", "--orphan", "new")
    assert checked_out_revision() == ""


def test_without_git_only_what_needs_it_is_refused(repository, monkeypatch):
    monkeypatch.chdir(repository)
    monkeypatch.setenv("PATH", str(repository))
    assert checked_out_revision() == ""
    with pytest.raises(InputError, match="git is not installed"):
        require_repository(repository)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused_with_the_command_that_allows_it(repository, monkeypatch):
    (repository / "below").mkdir()
    for path in (repository, repository / ".git"):
        os.chown(path, 12345, 12345)
    monkeypatch.chdir(repository / "below")
    with pytest.raises(InputError, match="belongs to another user") as raised:
        lineage.tags("x")
    command = str(raised.value).split("`")[1]
    assert command == f"git config --global --add safe.directory '{repository}'"
    subprocess.run(command, shell=True, check=True)
    monkeypatch.chdir(repository)
    assert checked_out_revision()


def test_a_damaged_repository_is_named(repository):
    (repository / ".git" / "HEAD").write_text("nonsense")
    with pytest.raises(InputError, match="git refuses this repository"):
        require_repository(repository)
