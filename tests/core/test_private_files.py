"""On a machine of many users, what a clone writes is its owner's alone."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.repo import Repo

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.private_files import FOLDERS, VARIABLE, keep_private, mask

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def open_shell():
    """A shell that lets everybody read, as most do."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_new_files_are_private_and_open_folders_are_closed(tmp_path):
    for name in FOLDERS:
        (tmp_path / name).mkdir(0o755)
    (tmp_path / "docs").mkdir(0o755)
    keep_private(tmp_path)
    (tmp_path / "models" / "lft").mkdir()
    (tmp_path / "models" / "lft" / "metrics.json").touch()
    assert {mode(tmp_path / name) for name in (*FOLDERS, "models/lft")} == {0o700}
    assert mode(tmp_path / "models/lft/metrics.json") == 0o600
    assert mode(tmp_path / "docs") == 0o755


def test_links_stay_as_they_are(tmp_path):
    (tmp_path / "shared").mkdir(0o755)
    (tmp_path / "data").symlink_to("shared")
    keep_private(tmp_path)
    assert mode(tmp_path / "shared") == 0o755


def test_a_site_may_let_a_group_in(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir(0o755)
    monkeypatch.setenv(VARIABLE, "0007")
    keep_private(tmp_path)
    (tmp_path / "data" / "x").touch()
    assert (mode(tmp_path / "data"), mode(tmp_path / "data" / "x")) == (0o750, 0o660)


@pytest.mark.parametrize("text", ["x", "0o77", "-1", "0777", "9", " 77"])
def test_another_mask_is_refused(text, monkeypatch):
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(InputError, match=rf"^{VARIABLE}: must be an octal number up to 0077"):
        mask()


def test_stages_and_commands_keep_their_files_private(tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages: {}")
    (tmp_path / "params.yaml").write_text("{}")
    for name in ("components", "eegdiffusion"):
        (tmp_path / name).symlink_to(ROOT / name)
    for words in (["eegdiffusion.commands", "params", "set", "a=1"], ["components.ingest_events", "--corpus", "x"]):
        (tmp_path / "data").mkdir(0o755, exist_ok=True)
        (tmp_path / "data").chmod(0o755)
        subprocess.run([sys.executable, "-m", *words], cwd=tmp_path, capture_output=True)
        assert mode(tmp_path / "data") == 0o700, words


def test_dvc_keeps_what_it_unpickles_in_the_repository(tmp_path, monkeypatch):
    """By itself it is below /var/tmp, in a folder that all accounts may write to; also of `dvc` by hand."""
    monkeypatch.delenv("DVC_SITE_CACHE_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    words = ["git", "clone", "--quiet", "--no-hardlinks", "--depth", "1", f"file://{ROOT}", "."]
    subprocess.run(words, check=True, capture_output=True)
    with Repo() as repo:
        site = Path(repo.site_cache_dir).resolve()
        assert site.is_relative_to(tmp_path)
        assert site.is_dir()
    for folder in (site, *site.parents):
        if folder == tmp_path:
            break
        assert mode(folder) & 0o022 == 0, folder
    assert subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=True).stdout == ""


def test_a_clone_that_is_mounted_read_only_stays_as_it_is(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    (tmp_path / "data").mkdir(0o755)
    monkeypatch.setattr(Path, "chmod", refuse)
    keep_private(tmp_path)
    assert mode(tmp_path / "data") == 0o755
