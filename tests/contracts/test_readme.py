"""The README names commands, files and stages that are there."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

README = Path("README.md").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", Path("Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z-]+)", README))))
def test_make_targets_exist(target):
    assert target in TARGETS


@pytest.mark.parametrize(
    "module", sorted(set(re.findall(r"python -m ((?:components|eegdiffusion)\.[a-z_.]+)", README)))
)
def test_commands_exist(module):
    assert find_spec(f"{module}.__main__") or find_spec(module).origin.endswith(".py")


def test_stages_are_those_of_the_graph():
    stages = {path.parent.name for path in Path("components").glob("*/component.yaml")}
    assert set(re.findall(r"^\| `([a-z_]+)` \|", README, re.MULTILINE)) == stages


def test_python_examples_import_what_exists():
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        for line in block.splitlines():
            if line.startswith(("from eegdiffusion", "import ")):
                exec(line, {})


def test_ci_runs_the_test_commands_of_the_readme():
    commands = re.findall(r"^make (test\S*) ", README, re.MULTILINE)
    assert commands[0] == "test"
    assert re.findall(r"^make (\S+)$", Path(".ci/run").read_text(), re.MULTILINE) == commands
