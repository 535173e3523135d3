"""``dvc.lock`` is read whole while DVC, whose own lock and writer are used here, writes it again and again."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from eegdiffusion.core.observe.tracking import dvc_lock, lineage

WRITER = """
import sys, time
from dvc.lock import Lock
from dvc.utils.serialize import dumps_yaml

lock = Lock(".dvc/tmp/lock", wait=True)
k, end = 0, time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    k += 1
    stages = {f"s{n}": {"outs": [{"path": f"data/{n}", "md5": f"{k:032d}"}]} for n in range(10)}
    with lock, open("dvc.lock", "w") as file:
        for line in dumps_yaml({"schema": "2.0", "stages": stages}).splitlines(keepends=True):
            file.write(line)
            file.flush()
            time.sleep(0.002)  # a busy machine
    print(k, flush=True)
    time.sleep(0.02)
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dvc_lock.GUARD.parent.mkdir(parents=True)
    return tmp_path


def test_a_file_that_is_being_written_is_read_whole(repository):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, "4"], stdout=subprocess.PIPE, text=True)
    writer.stdout.readline()
    seen, torn = set(), 0
    while writer.poll() is None:
        plain = dvc_lock.PATH.read_text()
        torn += plain.count("md5") < 10
        seen.add(lineage.dvc_hash(Path("data/9")))
        time.sleep(0.005)
    assert torn > 3, "a reader without the lock met half a file"
    assert len(seen) > 3
    assert all(len(digest) == 32 and digest.isdigit() for digest in seen)


def test_dvc_gets_its_lock_while_others_read(repository):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, "3"], stdout=subprocess.PIPE, text=True)
    writer.stdout.readline()
    while writer.poll() is None:
        dvc_lock.read()
        time.sleep(0.005)
    assert len(writer.stdout.read().splitlines()) > 2


def test_who_holds_the_lock_for_long_does_not_stop_a_stage(repository, monkeypatch):
    monkeypatch.setattr(dvc_lock, "PATIENCE_S", 0.3)
    dvc_lock.PATH.write_text("schema: '2.0'\n")
    hold = "import time; from dvc.lock import Lock; Lock('.dvc/tmp/lock').lock(); print(1, flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE)
    holder.stdout.readline()
    try:
        assert dvc_lock.read() == "schema: '2.0'\n"
    finally:
        holder.kill()


def test_there_is_none_before_the_first_stage(repository):
    assert dvc_lock.read() is None
