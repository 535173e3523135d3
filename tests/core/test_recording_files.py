"""Files below a folder: each real file once, by whatever way it is reached, and nothing passed over in silence."""

import os
from pathlib import Path

import pytest

from eegdiffusion.core.recordings.recording_files import ending_of, find_files, list_files


def _write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def _is_edf(name: str) -> bool:
    return name.lower().endswith(".edf")


def test_linked_folders_and_files_are_entered_and_each_is_listed_once(tmp_path):
    root, other = tmp_path / "root", tmp_path / "other"
    _write(root, "a.edf", "ward/b.EDF")
    _write(other, "disk/c.edf", "d.edf")
    links = {"far": other, "again": other / "disk", "up": tmp_path, "here": root, "ward/round": root / "ward"}
    for name, target in links.items():
        (root / name).symlink_to(target)
    for name, target in {"0.edf": root / "ward/b.EDF", "e.edf": other / "d.edf", "f.edf": tmp_path / "f"}.items():
        (root / name).symlink_to(target)
    (tmp_path / "f").write_text("f")
    listing = list_files(root)
    assert {path.as_posix() for path in listing.files} == {"a.edf", "ward/b.EDF", "again/c.edf", "far/d.edf", "f.edf"}
    assert listing.repeated_files == {Path("0.edf"): Path("ward/b.EDF"), Path("e.edf"): Path("far/d.edf")}
    assert listing.repeated_folders == {
        Path("far/disk"): Path("again"),
        Path("up"): Path(".."),
        Path("here"): Path(),
        Path("ward/round"): Path("ward"),
    }
    paths, problems = find_files(root, _is_edf)
    assert paths == listing.files
    assert {problem.path for problem in problems} == {"0.edf", "e.edf", "far/disk", "up", "here", "ward/round"}
    assert {problem.severity for problem in problems} == {"warning"}


def test_dot_files_and_folders_of_the_system_are_left_out(tmp_path):
    _write(tmp_path, "a.edf", "._a.edf", ".x/b.edf", "lost+found/c.edf", "$RECYCLE.BIN/d.edf", "b/._c.edf")
    assert list_files(tmp_path).files == [Path("a.edf")]
    assert find_files(tmp_path, _is_edf) == ([Path("a.edf")], [])


def test_what_cannot_be_opened_is_named_with_the_reason(tmp_path):
    (tmp_path / "gone.edf").symlink_to(tmp_path / "nowhere.edf")
    (tmp_path / "ward").symlink_to(tmp_path / "offline")
    (tmp_path / "ward.2024").symlink_to(tmp_path / "offline")
    (tmp_path / "loop.edf").symlink_to(tmp_path / "loop.edf")
    (tmp_path / "notes.txt").symlink_to(tmp_path / "nowhere.txt")
    os.mkfifo(tmp_path / "pipe.edf")
    paths, problems = find_files(tmp_path, _is_edf)
    assert paths == []
    reasons = {problem.path: problem.message for problem in problems}
    assert reasons.keys() == {"gone.edf", "ward", "ward.2024", "loop.edf", "pipe.edf"}
    assert f"is a link to {tmp_path}/nowhere.edf, which cannot be opened (No such file" in reasons["gone.edf"]
    assert "Too many levels" in reasons["loop.edf"]
    assert "must be a regular file" in reasons["pipe.edf"]
    assert {problem.severity for problem in problems} == {"error"}


def test_a_folder_without_permission_is_named(tmp_path, monkeypatch):
    _write(tmp_path, "a.edf", "locked/b.edf")
    open_folder = os.scandir

    def scandir(path):
        if Path(path).name == "locked":  # root, as whom containers test, may open every folder
            raise PermissionError(13, "Permission denied", str(path))
        return open_folder(path)

    monkeypatch.setattr(os, "scandir", scandir)
    paths, (problem,) = find_files(tmp_path, _is_edf)
    assert paths == [Path("a.edf")]
    assert (problem.path, problem.severity) == ("locked", "error")
    assert "Permission denied" in problem.message


def test_only_the_folders_that_are_asked_for_are_entered(tmp_path):
    _write(tmp_path, "a.edf", "train/a.edf", "eval/b.edf", "other/c.edf", "eval/other/d.edf")
    assert [path.as_posix() for path in list_files(tmp_path, ("train", "eval")).files] == [
        "eval/b.edf",
        "eval/other/d.edf",
        "train/a.edf",
    ]


@pytest.mark.parametrize(
    ("name", "ending"), [("x.FIF.Gz", ".fif.gz"), ("x.Edf", ".edf"), ("x.edf.txt", None), ("fif", None)]
)
def test_endings_are_recognised_in_any_case(name, ending):
    assert ending_of(name, (".edf", ".gz", ".fif", ".fif.gz")) == ending


def test_a_folder_that_is_named_like_a_file_is_named(tmp_path):
    (tmp_path / "a/x.edf").mkdir(parents=True)
    (tmp_path / "a/y.edf").touch()
    files, problems = find_files(tmp_path, lambda name: name.endswith(".edf"))
    assert files == [Path("a/y.edf")]
    assert [(problem.path, problem.severity, problem.message) for problem in problems] == [
        ("a/x.edf", "error", "must be a file (it is a folder)")
    ]
