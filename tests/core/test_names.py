"""Names of ``params.yaml`` are data: none is ever a word of a shell, a path out of its folder, or a template."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from eegdiffusion.core.runtime import contract
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.names import is_name, require_name
from eegdiffusion.core.runtime.settings import load
from eegdiffusion.core.runtime.yaml_text import parse_yaml
from tests.hostile_params import HOSTILE, TOO_MUCH

CONTRACTS = {name: contract.read(name) for name in ("ingest_events", "finetune_lft")}
DVC_REFUSES = {"", "..", "../a", "/etc/a", "a@b", "a" * 101}
"""Names that DVC takes for none of a stage, or whose outputs it takes for no paths."""

HONEST = ["tuev", "sub-01", "chb_mit-2024", "0", "A", "_x", "recorded", "a" * 100]


def test_names_are_letters_digits_dashes_and_underscores():
    assert not [name for name in HOSTILE if is_name(name)]
    assert all(is_name(name) for name in HONEST)
    with pytest.raises(InputError, match=r"^--name: must be of letters of ASCII.* \(found '\.\./a'\)$"):
        require_name("../a", "--name")


@pytest.mark.parametrize("name", [*HOSTILE, None, 1, True])
@pytest.mark.parametrize("place", ["section", "entry", "item"])
def test_a_file_with_another_name_is_refused(name, place, tmp_path):
    if place == "item" and name == 1 and name is not True:
        name = -1  # whole numbers are items
    document = {
        "section": {name: {}},
        "entry": {"event_corpora": {name: {"root": "x"}}},
        "item": {"matrix": {"a": [name]}},
    }
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(document[place]))
    with pytest.raises(InputError, match=re.escape(f"{path}: ")) as error:
        load(path)
    assert "must be of letters" in str(error.value)
    assert str(error.value).isprintable()


@pytest.mark.parametrize("items", [{"a": {"b": 1}}, {"a": [{"$(touch x)": 1}]}, {"a": [["b"]]}, {"a": "b c"}])
def test_items_of_matrix_are_names_or_numbers(items, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({"matrix": items}))
    with pytest.raises(InputError, match=r"matrix\.a: an item: must be of letters"):
        load(path)


@pytest.mark.parametrize("case", TOO_MUCH)
def test_a_file_that_asks_for_too_much_is_refused_at_once(case, tmp_path):
    began = time.monotonic()
    path = tmp_path / "params.yaml"
    path.write_text(TOO_MUCH[case])
    with pytest.raises(InputError, match=r"params\.yaml: (must (have )?at most|must be at most|not valid YAML)"):
        load(path)
    assert time.monotonic() - began < 5


def test_anchors_of_reason_are_read(tmp_path):
    text = "a: &a {b: [1, 2]}\nc: {<<: *a, d: *a}\n"
    assert parse_yaml(text, "text") == yaml.safe_load(text)
    assert parse_yaml("", "text") is None


def test_no_command_of_the_graph_holds_a_value_of_params():
    commands = re.findall(r"^ +cmd: (.*)$", Path("dvc.yaml").read_text(), re.MULTILINE)
    assert len(commands) == len(contract.stage_names())
    for command in commands:
        assert set(re.findall(r"\$\S\w*", command)) <= {"$PWD", "$PATH", "$DVC_STAGE"}, command


@pytest.mark.parametrize("name", sorted(set(HOSTILE) - DVC_REFUSES))
def test_dvc_by_hand_hands_a_hostile_name_to_the_stage_which_refuses_it(name, tmp_path, monkeypatch):
    """DVC reads params.yaml before any code of ours: it runs the line of dvc.yaml, and gives the stage's name."""
    graph = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]["ingest_events"]["do"]
    entry = {"foreach": "${event_corpora}", "do": {"cmd": graph["cmd"], "outs": ["out/${key}/index"]}}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"ingest_events": entry}}))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"event_corpora": {name: {"root": "x", "layout": "tuev"}}}))
    monkeypatch.chdir(tmp_path)
    with Repo.init(tmp_path, no_scm=True) as repo:
        (stage,) = repo.index.stages
        printed = subprocess.run(
            ["sh", "-c", stage.cmd.replace("python -m", "printf '%s\\n'")],
            env={"DVC_STAGE": stage.addressing, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    assert printed == f"components.ingest_events\n--item\n{stage.addressing}\n"
    assert not (tmp_path / "x").exists()
    with pytest.raises(InputError, match=r"^--item: must be ingest_events@NAME"):
        contract.item_of(CONTRACTS["ingest_events"], stage.addressing)


def test_dvc_by_hand_runs_nothing_that_a_name_says(tmp_path):
    cmd = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]["ingest_events"]["do"]["cmd"]
    entry = {"foreach": "${event_corpora}", "do": {"cmd": cmd}}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"ingest_events": entry}}))
    (tmp_path / "params.yaml").write_text(
        yaml.safe_dump({"event_corpora": {"a$(touch x)`touch y`;touch z": {"root": 1}}})
    )
    environment = {
        "PYTHONPATH": str(Path.cwd()),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
    }
    for words in (["init", "--no-scm", "--quiet"], ["repro"]):
        done = subprocess.run(
            [sys.executable, "-m", "dvc", *words], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
    assert done.returncode == 255
    assert "exited with 65" in done.stderr
    assert "ingest_events: --item: must be ingest_events@NAME" in done.stderr
    assert not {"x", "y", "z"} & {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("name", "item"),
    [
        ("finetune_lft@recorded-0", {"labels": "recorded", "seed": 0}),
        ("dvc.yaml:finetune_lft@recorded-0", {"labels": "recorded", "seed": 0}),
        ("../dvc.yaml:finetune_lft@a-1-20", {"labels": "a-1", "seed": 20}),
        ("ingest_events@chb-mit_2024", {"corpus": "chb-mit_2024"}),
    ],
)
def test_the_item_of_a_stage_is_in_its_name(name, item):
    stage = name.rpartition(":")[2].partition("@")[0]
    assert contract.item_of(CONTRACTS[stage], name) == item


@pytest.mark.parametrize(
    "name", ["finetune_lft", "finetune_lft@recorded", "finetune_lft@recorded-x", "finetune_lft@recorded-07",
             "finetune_lft@-0", "ingest_events@tuev", "x:finetune_lft@a-0", "finetune_lft@a@dvc.yaml:finetune_lft@b-0"],
)  # fmt: skip
def test_a_name_without_an_item_of_the_stage_is_refused(name):
    with pytest.raises(InputError, match=r"^--item: "):
        contract.item_of(CONTRACTS["finetune_lft"], name)
