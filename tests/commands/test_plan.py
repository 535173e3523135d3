"""``eeg plan`` in a clone with two of the project's stages: what is out of date, what it takes, what does not fit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from dvc.repo import Repo

from eegdiffusion.commands import plan
from eegdiffusion.commands.repro import _planned_beside
from eegdiffusion.core.runtime.errors import InputError
from tests.tuev_fixture import write_corpus

PARAMS = Path(__file__).parents[2] / "params.yaml"

STAGES = {
    "ingest_events": {
        "foreach": "${event_corpora}",
        "do": {
            "cmd": "mkdir -p data/made/${key} && touch data/made/${key}/a",
            "deps": ["${item.root}"],
            "outs": ["data/made/${key}"],
        },
    },
    "preprocess_events": {
        "foreach": "${event_corpora}",
        "do": {
            "cmd": "mkdir -p data/stored/${key} && touch data/stored/${key}/a",
            "deps": ["data/made/${key}"],
            "params": ["preprocess_events"],
            "outs": ["data/stored/${key}"],
        },
    },
}


@pytest.fixture
def clone(tmp_path, monkeypatch):
    write_corpus(tmp_path / "corpus" / "edf")
    document = yaml.safe_load(PARAMS.read_text())
    document["event_corpora"] = {"tuev": {"root": "corpus/edf", "layout": "tuev"}}
    document["image_corpora"] = {}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(document))
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    Repo.init(no_scm=True).close()
    return tmp_path


def said(*words, stream="stdout"):
    result = CliRunner().invoke(plan.command, words, catch_exceptions=False)
    assert result.exit_code == 0
    return getattr(result, stream)


def test_stages_that_are_out_of_date_are_planned(clone):
    planned = json.loads(said("--json"))
    assert [stage["name"] for stage in planned["stages"]] == ["ingest_events@tuev", "preprocess_events@tuev"]
    assert planned["longest_way"] == ["ingest_events@tuev", "preprocess_events@tuev"]
    assert planned["seconds"] == pytest.approx(sum(stage["seconds"] for stage in planned["stages"]))
    assert planned["corpora"]["tuev"]["recordings"] == 8
    assert planned["problems"] == []
    with Repo() as repository:
        repository.reproduce()
    assert said("--jobs", "2") == "Everything is up to date; `eeg plan --all` plans it all the same.\n"
    assert "2 stages, 1 at a time" in said("--all")
    assert "preprocess_events@tuev" not in said("--all", "ingest_events")
    document = yaml.safe_load((clone / "params.yaml").read_text())
    document["preprocess_events"]["filtering"] = {"high_hz": 60.0}
    (clone / "params.yaml").write_text(yaml.safe_dump(document))
    (stage,) = json.loads(said("--json"))["stages"]
    assert stage["name"] == "preprocess_events@tuev"


def test_other_settings_and_sizes_stay_out_of_the_clone(clone):
    before = (clone / "params.yaml").read_text()
    words = ("--size", "tuev.hours=150", "--set", "hardware.devices=4", "--gpu", "h100", "--json")
    planned = json.loads(said(*words))
    assert planned["corpora"]["tuev"]["hours"] == 150
    assert (planned["machine"]["devices"], planned["machine"]["gpus"]) == (4, 4)
    assert json.loads(said("--gpu", "h100", "--gpus", "8", "--jobs", "8", "--json"))["machine"]["gpus"] == 8
    stored = next(stage for stage in planned["stages"] if stage["name"] == "preprocess_events@tuev")
    assert stored["output_bytes"] == pytest.approx(150 * 3600 * 200 * 22 * 2, rel=0.01)
    assert (clone / "params.yaml").read_text() == before
    assert not list(clone.glob("data/*"))
    with pytest.raises(InputError, match=r"must be section.field=value"):
        said("--set", "hardware.devices")


def test_what_does_not_fit_is_a_warning_and_no_refusal(clone):
    output = said("--size", "tuev.hours=10000000", stream="output")
    assert "2 stages, 1 at a time" in output
    assert "WARNING: disk: " in output
    assert "WARNING: memory: preprocess_events@tuev needs " in output
    assert said("--size", "tuev.hours=10000000", "--problems", stream="output").startswith("WARNING: ")


def test_repro_says_what_does_not_fit(clone, capfd, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(PARAMS.parent))  # the stages, which a clone has in its working directory
    document = yaml.safe_load((clone / "params.yaml").read_text())
    document["preprocess_events"]["filtering"] = {"rate_hz": 1e9}
    (clone / "params.yaml").write_text(yaml.safe_dump(document))
    command = [sys.executable, "-m", "eegdiffusion.commands", "plan", "--problems", "--jobs", "1"]
    alone = subprocess.run(command, capture_output=True, text=True, check=True)
    assert alone.stderr.startswith("WARNING: disk: ")
    with _planned_beside((), 1):
        for _ in range(600):
            if "WARNING: disk: " in (line := capfd.readouterr().err):
                break
            subprocess.run(["sleep", "0.2"], check=True)
    assert line.startswith("WARNING: disk: ")
