"""What a task's container sees of the host: the repository to read, and nothing of it that is secret."""

import subprocess

import pytest
from _mounts import is_visible, refresh_mirror, task_mounts
from airflow.sdk.exceptions import AirflowFailException

from tests.dags.airflow_home import git

PASSWORD = "s3cret-of-the-remote"


@pytest.fixture
def repository(tmp_path):
    """A repository with secrets where they are put: settings, git's configuration and hooks, what is ignored."""
    root = tmp_path / "repository"
    for name in ("dags/a.py", "docker/up.sh", "docker/.env", "data/x", ".dvc/config", ".airflow/passwords", ".env"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(PASSWORD if "env" in name or "passwords" in name else name)
    (root / "params.yaml").write_text("seed: 1\n")
    (root / ".gitignore").write_text(".env\n.airflow/\n.work/\n/data/\n")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "start")
    git(root, "remote", "add", "origin", f"https://user:{PASSWORD}@git.example.org/x.git")
    (root / ".git" / "hooks" / "post-checkout").write_text(f"#!/bin/sh\n# {PASSWORD}\n")
    return root


def test_tasks_read_the_repository_and_write_runs_and_data_alone(repository):
    written = [f"{repository}/runs", f"{repository}/.dvc/cache", "/storage"]
    mounts = task_mounts(str(repository), written, ["/corpora"], "/secrets")
    assert {mount["Target"] for mount in mounts if not mount["ReadOnly"]} == {*written, "/tmp"}
    read = {mount["Target"].removeprefix(f"{repository}/") for mount in mounts if mount["ReadOnly"]}
    secrets = {"/run/secrets/aws", "/tmp/.mlflow/credentials"}
    assert read == {".dvc", ".git", ".gitignore", "data", "params.yaml", "/corpora", *secrets}
    assert str(repository) not in {mount["Source"] for mount in mounts}
    (git_folder,) = (mount["Source"] for mount in mounts if mount["Target"].endswith("/.git"))
    assert git_folder.startswith(f"{repository}/.work/mirrors/")


@pytest.mark.parametrize("name", [".git", ".env", ".airflow", ".work", ".ssh", ".envrc", "dags", "docker", "mlruns"])
def test_what_holds_secrets_is_not_visible(name):
    assert not is_visible(name)


def test_a_mirror_has_the_commits_and_nothing_else(repository):
    mirror = refresh_mirror(str(repository))
    held = subprocess.run(["grep", "-rl", PASSWORD, mirror], capture_output=True, text=True).stdout
    assert not held
    assert not (repository / mirror / "hooks").exists()
    clone = repository.parent / "clone"
    git(repository, "clone", "-q", mirror, str(clone))
    assert (clone / "dags" / "a.py").is_file()
    assert git(clone, "rev-parse", "HEAD") == git(repository, "rev-parse", "HEAD")


def test_a_mirror_follows_the_repository_and_old_ones_go(repository):
    first = refresh_mirror(str(repository))
    assert refresh_mirror(str(repository)) == first, "nothing has changed"
    for number in range(7):
        (repository / "params.yaml").write_text(f"seed: {number + 2}\n")
        git(repository, "commit", "-qam", "next")
        latest = refresh_mirror(str(repository))
    head = ["--git-dir", latest, "rev-parse", "HEAD"]
    assert git(repository, *head) == git(repository, "rev-parse", "HEAD")
    assert len(list((repository / ".work" / "mirrors").iterdir())) == 5


def test_with_a_mirror_only_what_really_differs_is_changed(repository):
    mirror = refresh_mirror(str(repository))
    seen = repository.parent / "seen"
    seen.mkdir()
    for name in ("params.yaml", ".gitignore"):
        (seen / name).write_text((repository / name).read_text())
    (seen / ".dvc").mkdir()
    (seen / ".dvc" / "config").write_text(".dvc/config")
    status = ["--git-dir", mirror, "--work-tree", str(seen), "status", "--porcelain", "--untracked-files=no"]
    assert git(seen, *status) == ""
    (seen / "params.yaml").write_text("seed: 9\n")
    assert git(seen, *status).split() == ["M", "params.yaml"]


def test_what_git_refuses_is_said(tmp_path):
    (tmp_path / ".git").mkdir()
    with pytest.raises(AirflowFailException, match="not a git repository"):
        refresh_mirror(str(tmp_path))
