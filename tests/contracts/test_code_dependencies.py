"""What an edit reruns: by the folders of code that dvc.yaml declares, and by DVC itself."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from eegdiffusion.commands.code_deps import main as code_deps
from eegdiffusion.core.runtime.closure import NEVER_DECIDES, is_code
from eegdiffusion.core.runtime.errors import InputError

GRAPH = yaml.safe_load(Path("dvc.yaml").read_text())
BODIES = {name: stage.get("do", stage) for name, stage in GRAPH["stages"].items()}
SHOWS = sorted(
    path.as_posix() for folder in NEVER_DECIDES for path in Path(folder).rglob("*.py") if path.stat().st_size
)
CARDS = sorted(path.as_posix() for path in Path("eegdiffusion").rglob("*.j2"))
TRAININGS = {name for name, body in BODIES.items() if "hardware.precision" in body["params"]}


def reruns(file: str) -> set[str]:
    """Stages that depend on a folder that the file lies in."""
    return {name for name, body in BODIES.items() if any(Path(file).is_relative_to(dep) for dep in body["deps"])}


@pytest.mark.parametrize("file", [*SHOWS, *CARDS])
def test_what_only_shows_results_reruns_no_training(file):
    assert reruns(file) <= {"report"}


def test_a_file_that_decides_reruns_what_it_decides():
    assert reruns("eegdiffusion/core/runtime/settings.py") == set(BODIES)
    assert reruns("components/finetune_lft/settings.py") == {"finetune_lft"}
    trained_alike = "eegdiffusion/events/training/finetuning_settings.py"
    assert reruns(trained_alike) == {
        "pretrain_ssmdp",
        "finetune_lft",
        "ablate_lft",
        "finetune_tasks",
        "test_lft",
        "report",
    }


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The code in a repository whose stages, one item each, depend on code and ``hardware`` alone; all is recorded."""
    folder = tmp_path_factory.mktemp("repository")
    for package in ("components", "eegdiffusion"):
        shutil.copytree(package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy("params.yaml", folder)
    stages = {}
    for name, body in BODIES.items():
        stages[name] = {
            "cmd": "true",
            "deps": [dependency for dependency in body["deps"] if is_code(dependency)],
            "params": [param for param in body["params"] if param.startswith("hardware")],
        }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    with Repo.init(folder, no_scm=True) as repo:
        shutil.copy(".dvcignore", folder)
        repo.commit(force=True)
    assert status(folder) == set()
    return folder


def status(folder: Path) -> set[str]:
    """Stages that ``dvc status`` names."""
    with Repo(str(folder)) as repo:
        return {name.partition(":")[2] or name for name in repo.status()}


EDITS = {
    "code": lambda text: f"{text}\nEDITED = 1\n",
    "words": lambda text: re.sub(r'"([^"\\{}\n]+)"', r'"\1 edited"', text, count=1),
    "docstring": lambda text: text.replace('"""', '"""Edited. ', 1),
}

EDITED = [
    "eegdiffusion/core/observe/figures/style.py",
    "eegdiffusion/events/figures/eeg_figures.py",
    "eegdiffusion/core/observe/tracking/journal.py",
    "eegdiffusion/images/figures/encoder_figures.py",
    "eegdiffusion/images/serving/sgdm_pyfunc.py",
    "eegdiffusion/events/serving/lft_pyfunc.py",
    "eegdiffusion/operations/registry/model_card.md.j2",
]


@pytest.mark.parametrize("kind", EDITS)
def test_dvc_reruns_no_training_for_an_edit_of_what_shows(copy, kind):
    """One line of each file is changed; a model card's template has words alone."""
    texts = {copy / file: (copy / file).read_text() for file in EDITED}
    for path, text in texts.items():
        path.write_text(EDITS[kind](text))
        assert path.read_text() != text or path.suffix == ".j2"
    assert status(copy) <= {"report"}
    for path, text in texts.items():
        path.write_text(text)


def test_dvc_reruns_what_an_edit_decides(copy):
    path = copy / "eegdiffusion/core/training/fit.py"
    text = path.read_text()
    path.write_text(text + "\nEDITED = 1\n")
    assert TRAININGS <= status(copy) < set(BODIES)
    path.write_text(text)


def test_what_python_and_editors_leave_changes_nothing(copy):
    folder = copy / "eegdiffusion/core/training"
    left = ["__pycache__/fit.cpython-312.pyc", ".fit.py.swp", "fit.py~", ".DS_Store", "._fit.py", ".idea/workspace.xml"]
    left += [".vscode/settings.json", ".ruff_cache/0/x", ".mypy_cache/x.json", ".pytest_cache/v"]
    for name in left:
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text("left")
    assert status(copy) == set()


def test_what_a_run_costs_changes_nothing_and_the_precision_reruns_trainings(copy):
    path = copy / "params.yaml"
    text = path.read_text()
    document = yaml.safe_load(text)
    document["hardware"] |= {"accelerator": "gpu", "devices": 4, "nodes": 2, "loader_workers": 8}
    path.write_text(yaml.safe_dump(document))
    assert status(copy) == set()
    document["hardware"]["precision"] = "bf16-mixed"
    path.write_text(yaml.safe_dump(document))
    assert status(copy) == TRAININGS
    path.write_text(text)


def test_no_stage_watches_what_a_run_costs():
    for body in BODIES.values():
        assert {param for param in body["params"] if param.startswith("hardware")} <= {"hardware.precision"}


def test_a_person_can_read_the_graph():
    lines = Path("dvc.yaml").read_text().splitlines()
    assert len(lines) <= 550
    assert sum("timeout_min" in line for line in lines) <= len(BODIES) / 2, (
        "name what tasks take: meta: {airflow: *gpu_day}"
    )


def test_a_stage_finds_its_environment_however_dvc_was_called(tmp_path):
    """DVC is called by its path from a shell in which nothing is activated."""
    prefix, *_ = BODIES["report"]["cmd"].partition(" python ")
    assert all(body["cmd"].startswith(f"{prefix} python -m components.{name}") for name, body in BODIES.items())
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$@" > said\n')
    python.chmod(0o755)
    (tmp_path / "dvc.yaml").write_text(
        yaml.safe_dump({"stages": {"a": {"cmd": BODIES["report"]["cmd"], "outs": ["said"]}}})
    )
    Repo.init(tmp_path, no_scm=True).close()
    dvc = Path(sys.executable).parent / "dvc"
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "DVC_NO_ANALYTICS": "1",
        "LANG": os.environ.get("LANG", "C"),
    }
    subprocess.run([dvc, "repro"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert (tmp_path / "said").read_text() == "-m components.report\n"


def test_the_lock_is_marked_as_a_machines():
    assert "dvc.lock -diff linguist-generated" in Path(".gitattributes").read_text().splitlines()


def test_code_dependencies_are_checked_and_written(tmp_path, monkeypatch, capsys):
    text = Path("dvc.yaml").read_text()
    stale = tmp_path / "dvc.yaml"
    stale.write_text(text.replace("      - eegdiffusion/report\n", "      - eegdiffusion/nowhere\n"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="make deps"):
        code_deps(["--check"])
    assert capsys.readouterr().out == "report: - eegdiffusion/nowhere\nreport: + eegdiffusion/report\n"
    assert stale.read_text() != text
    code_deps([])
    assert stale.read_text() == text
    code_deps(["--check"])
