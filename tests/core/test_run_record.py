"""Records of runs: what they say, and that they are only taken for the results that the run left."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from eegdiffusion.core.runtime import run_record
from eegdiffusion.core.runtime.resource_use import ResourceUse, resource_use
from eegdiffusion.core.runtime.run_record import read_records, write_record
from eegdiffusion.operations.orchestration.workspace import return_records
from eegdiffusion.report.origin import describe_origin


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("a: 1\n")
    (tmp_path / "dvc.lock").write_text("stages: {}\n")
    author = ["-c", "user.name=t", "-c", "user.email=t@t"]
    for words in (["init", "-q"], ["add", "-A"], [*author, "commit", "-qm", "start"]):
        subprocess.run(["git", *words], check=True)
    out = tmp_path / "models" / "lft" / "seed-0"
    out.mkdir(parents=True)
    (out / "metrics.json").write_text('{"kappa": 0.5}')
    (out / "model.safetensors").write_bytes(b"x" * 100_000)
    return tmp_path


def _write() -> None:
    write_record("finetune_lft", ["recorded", 0], time.time() - 12.3, time.time(), [Path("models/lft/seed-0")])


def test_a_run_is_recorded_with_its_time_revision_and_machine(repository):
    _write()
    (record,) = read_records()
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    assert (record.stage, record.item, record.revision) == ("finetune_lft", "recorded-0", head)
    assert record.seconds == pytest.approx(12.3, abs=0.2)
    assert record.ended.endswith("+00:00")
    assert re.search(r"\b(1 core|\d+ cores)\b", record.machine)


def test_a_run_says_what_it_used(repository):
    before = resource_use()
    total, block = 0, bytearray(200 * 2**20)
    while resource_use().cpu_seconds < before.cpu_seconds + 0.3:
        total += sum(range(10_000))
    subprocess.run([sys.executable, "-c", "x = sum(range(20_000_000))"], check=True)
    _write()
    (record,) = read_records()
    assert record.used.cpu_seconds >= before.cpu_seconds + 0.5, "its children's time counts"
    assert record.used.peak_bytes >= len(block)
    (repository / "big").write_bytes(bytes(2**20))
    with (repository / "big").open("rb+") as file:
        os.fsync(file.fileno())
    assert resource_use().written_bytes >= (record.used.written_bytes or 0)
    assert record.used.gpu_peak_bytes is None or record.used.gpu_peak_bytes > 0


def test_a_record_of_an_earlier_version_is_read(repository):
    _write()
    (path,) = run_record.RECORDS.glob("*/*.json")
    fields = json.loads(path.read_text())
    del fields["used"]
    path.write_text(json.dumps(fields))
    (record,) = read_records()
    assert record.used is None
    assert describe_origin([], [record], ["finetune_lft"]).stages[0].cost == ""
    used = replace(record, used=ResourceUse(90.0, 3 * 2**29))
    assert describe_origin([], [used], ["finetune_lft"]).stages[0].cost == "90 s of CPU, 1.5 GiB"
    assert describe_origin([], [record, used], ["finetune_lft"]).stages[0].cost == ""


@pytest.mark.parametrize("change", ["content", "size", "missing", "another file"])
def test_results_from_elsewhere_are_not_taken_for_those_of_the_run(repository, change):
    _write()
    out = repository / "models" / "lft" / "seed-0"
    if change == "content":
        (out / "metrics.json").write_text('{"kappa": 0.6}')
    elif change == "size":
        (out / "model.safetensors").write_bytes(b"x" * 100_001)
    elif change == "missing":
        (out / "metrics.json").unlink()
    else:
        (out / "curves.csv").write_text("epoch\n1\n")
    assert read_records() == []


def test_a_changed_setting_is_said_and_what_dvc_writes_is_not(repository):
    (repository / "dvc.lock").write_text("stages: {a: 1}\n")
    assert not run_record.checked_out_revision().endswith("-dirty")
    (repository / "params.yaml").write_text("a: 2\n")
    assert run_record.checked_out_revision().endswith("-dirty")


def test_without_git_the_rest_is_recorded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "out").write_text("1")
    write_record("report", [], 0, 2, [Path("out")])
    (record,) = read_records()
    assert (record.revision, record.seconds, record.item) == (None, 2, "")
    assert json.loads(Path("models/runs/stages/report/stage.json").read_text())["stage"] == "report"


def test_torch_is_not_loaded_to_describe_the_machine():
    script = (
        "import sys; from eegdiffusion.core.runtime.run_record import machine; machine(); print('torch' in sys.modules)"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "False"


def test_records_of_a_workspace_lie_beside_the_repositorys_and_count_for_their_results(repository, tmp_path_factory):
    _write()
    workspace = tmp_path_factory.mktemp("r1")
    shutil.copytree(repository / "models", workspace / "models")
    out = Path("models/lft/seed-0/metrics.json")
    with contextlib.chdir(workspace):
        out.write_text('{"kappa": 0.7}')
        write_record("finetune_lft", ["recorded", 0], time.time() - 5, time.time() + 9, [out.parent])
        write_record("finetune_lft", ["recorded", 1], time.time() - 5, time.time(), [out.parent])
    return_records(workspace, repository)
    return_records(workspace, repository)  # each step of the end of a run may be repeated
    own = [record.seconds for record in read_records()]
    assert own == [pytest.approx(12.3, abs=0.2)]
    shutil.copy(workspace / out, out)  # as `dvc checkout` brings them
    assert [(record.item, round(record.seconds)) for record in read_records()] == [
        ("recorded-1", 5),
        ("recorded-0", 14),
    ]
    _write()
    write_record("finetune_lft", ["recorded", 1], time.time() - 3, time.time() + 20, [out.parent])
    assert [record.item for record in read_records()] == ["recorded-0", "recorded-1"]
