"""What lies where on the disk: each file once, links apart, and what is shared."""

import os
import re

import pytest
from click.testing import CliRunner
from dvc.repo import Repo

from eegdiffusion.commands.disk import PLACES, Usage, command, readable, usage_of

BLOCK = 4096


def write(path, blocks=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * blocks * BLOCK)
    return path


def test_a_file_with_two_names_is_counted_once(tmp_path):
    first = write(tmp_path / "a/file", 2)
    (tmp_path / "b").mkdir()
    os.link(first, tmp_path / "b/same")
    write(tmp_path / "b/deep/other")
    seen = set()
    assert usage_of([tmp_path / "a"], seen) == Usage(1, 2 * BLOCK, 0, 0)
    assert usage_of([tmp_path / "b"], seen) == Usage(2, BLOCK, 2 * BLOCK, 0)
    assert usage_of([tmp_path], set()) == Usage(3, 3 * BLOCK, 2 * BLOCK, 0)


def test_links_are_not_followed_and_what_is_apart_is_left_out(tmp_path):
    write(tmp_path / "elsewhere/large", 100)
    write(tmp_path / "data/raw/corpus", 5)
    write(tmp_path / "data/out")
    (tmp_path / "data/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/loop").symlink_to(tmp_path / "data")
    (tmp_path / "data/broken").symlink_to("nowhere")
    apart = [tmp_path / "data/raw", tmp_path]
    assert usage_of([tmp_path / "data"], set(), apart) == Usage(1, BLOCK, 0, 3)
    assert usage_of([tmp_path / "nothing"], set()) == Usage()


def test_a_sparse_file_takes_what_it_takes(tmp_path):
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    assert usage_of([tmp_path / "sparse"], set()).own < BLOCK


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2_000_000_000_000, "2.0 TB")]
)
def test_sizes_are_said_in_words(size, words):
    assert readable(size) == words


def test_the_table_has_each_place_with_what_is_shared(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "data/raw/corpus", 3)
    write(tmp_path / "data/out", 7)
    write(tmp_path / ".work/stage/last.safetensors", 2)
    with Repo.init(str(tmp_path), no_scm=True) as repo, repo.config.edit("repo") as config:
        config["cache"]["type"] = ["hardlink"]
        config["remote"]["storage"] = {"url": str(tmp_path / "remote")}
    with Repo() as repo:
        repo.add(str(tmp_path / "data/out"))
    done = CliRunner().invoke(command)
    assert done.exit_code == 0, done.output
    rows = {line.split("  ")[0]: re.split(r"\s{2,}", line) for line in done.output.splitlines()}
    assert set(PLACES) | {"DVC's cache", "DVC's remote"} <= set(rows)
    assert rows["corpora"][2:5] == ["1", "12.3 kB", "0 B"]
    assert rows["unfinished stages"][2:5] == ["1", "8.2 kB", "0 B"]
    assert rows["stages' outputs"][3] == "32.8 kB", "with the file that DVC writes beside it"
    assert rows["DVC's cache"][4] == "28.7 kB", "the output and the cache are one file"
    assert str(tmp_path / "remote") in rows["DVC's remote"][1]
    assert re.search(r"\d [kMGTP]?B are free\.$", done.output.strip())
