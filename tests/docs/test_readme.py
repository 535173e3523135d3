"""What README, CONTRIBUTING and the docs name is there."""

import re
import subprocess
from importlib.util import find_spec

import pytest
import yaml

from tests.docs.documents import DOCUMENTS, commands
from tests.e2e.workspace import ROOT

WORDS = "\n".join(path.read_text() for path in DOCUMENTS)
README = (ROOT / "README.md").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
FIELDS = sorted(set(re.findall(r"`((?:[a-z_]+)(?:\.[a-z_]+)+)`", WORDS)))


PRINTED = "\n".join([*commands(), *re.findall(r"`(?:[A-Z_]+=\S+ )*make [^`\n]+`", WORDS)])
MODULES = set(re.findall(r"python -m ((?:components|eegdiffusion|benchmarks)\.[a-z_.]+)", WORDS))


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z][a-z-]+)", PRINTED))))
def test_make_targets_exist(target):
    assert target in TARGETS


@pytest.mark.parametrize("module", sorted(MODULES))
def test_modules_exist(module):
    spec = find_spec(module)
    assert spec
    assert spec.submodule_search_locations is None or find_spec(f"{module}.__main__")


def test_ci_runs_the_test_commands_of_the_readme():
    commands = re.findall(r"^make (check|test\S*) ", README, re.MULTILINE)
    assert commands == ["check", "test"]
    ran = re.findall(r"^make (\S+)", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert ran == ["test", "test-containers"]
    table = re.findall(r"^\| `make (\S+)` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert table == ["check", *ran]
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    assert [step["run"] for step in workflow["jobs"]["test"]["steps"] if "run" in step] == [".ci/run"]


def test_make_test_does_all_that_make_check_does():
    def lines(target):
        words = ["make", "--dry-run", "--no-print-directory", target]
        text = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        return [line for line in text.splitlines() if not line.lstrip().startswith(("if [ -L", "echo", "@"))]

    check, test = lines("check"), lines("test")
    assert len(check) >= 6
    *shared, fast = check
    assert shared == test[: len(shared)]
    assert {"ruff check .", "codespell", "lint-imports", "mypy"} <= set(shared)
    assert "-m pytest" in fast
    assert "-m pytest" in test[-1]
    assert "unit" not in test[-1]
    assert re.findall(r"--ignore (\S+)", test[-1]) == ["tests/containers"], "which make test-containers runs"


def test_settings_that_the_docs_name_exist():
    """Dotted names whose first part is a section of params.yaml are fields of it."""
    from settings_reference import fields_of, read_schema, sections_of

    schema = read_schema(ROOT)
    sections = sections_of(schema)
    fields = {f"{name}.{field.name}" for name, node in sections.items() for field in fields_of(node, schema)}
    heads = {name for name in sections if "." not in name}
    for name in FIELDS:
        if name.partition(".")[0] in heads:
            assert any(field == name or field.startswith(f"{name}.") for field in fields), name


def test_the_licence_is_apaches_and_its_holder_is_named_in_one_way():
    import tomllib

    licence = (ROOT / "LICENSE").read_text()
    assert "Apache License" in licence
    assert "Version 2.0, January 2004" in licence
    assert len(licence.splitlines()) == 202
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    holder = "The EEG Diffusion Workflow authors"
    assert project["authors"] == [{"name": holder}]
    assert citation["authors"] == [{"name": holder}]
    assert project["license"] == citation["license"] == "Apache-2.0"
    assert project["version"] == citation["version"]
    assert f"[{project['version']}]" in (ROOT / "CHANGELOG.md").read_text()
