"""Files are written whole or not at all."""

import os
import subprocess
import sys

import pytest

from eegdiffusion.core.runtime.errors import UnavailableError
from eegdiffusion.core.runtime.files import written_whole
from tests.e2e.workspace import ROOT

FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from eegdiffusion.core.runtime.files import written_whole
from eegdiffusion.core.runtime.shell import errors_as_exit_status
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with errors_as_exit_status("x"), written_whole(Path("a.edf"), Path("b.csv")) as (one, other):
    other.write_text("b")
    one.write_bytes(bytes(5000))
"""


def test_files_take_their_places_together(tmp_path):
    one, other = tmp_path / "new" / "a.edf", tmp_path / "new" / "b.csv"
    with written_whole(one, other) as parts:
        assert [part.name for part in parts] == ["a.edf", "b.csv"]
        for part in parts:
            part.write_text(part.name)
        assert not one.exists()
    assert [one.read_text(), other.read_text()] == ["a.edf", "b.csv"]
    assert sorted(path.name for path in one.parent.iterdir()) == ["a.edf", "b.csv"]


def test_a_full_disk_is_said_and_leaves_what_was_there(tmp_path):
    (tmp_path / "b.csv").write_text("before")
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", FULL_DISK]
    done = subprocess.run(words, cwd=tmp_path, env=variables, capture_output=True, text=True)
    assert done.returncode == 75
    assert done.stderr.startswith("x: .: a.edf, b.csv: could not be written (")
    assert "is the disk full" in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["b.csv"]
    assert (tmp_path / "b.csv").read_text() == "before"


def test_an_error_of_the_block_leaves_what_was_there(tmp_path):
    (tmp_path / "a").write_text("before")

    def stop() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"), written_whole(tmp_path / "a") as (part,):
        part.write_text("after") and stop()
    assert (tmp_path / "a").read_text() == "before"
    with pytest.raises(UnavailableError, match="could not be written"), written_whole(tmp_path / "a") as (part,):
        pass
