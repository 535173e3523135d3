"""Which way imports run, of every file that there is; by the closure that DVC's dependencies are computed from."""

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

from eegdiffusion.core.runtime.closure import DRAWS, NEVER_DECIDES, closure
from eegdiffusion.core.runtime.contract import read, stage_names

LAYERS = [
    {"eegdiffusion/commands"},
    {"components"},
    {"eegdiffusion/report", "eegdiffusion/operations", "eegdiffusion/surrogate", "eegdiffusion/modules"},
    {"eegdiffusion/events", "eegdiffusion/images"},
    {"eegdiffusion/core"},
]
"""Wings from top to bottom; those of one layer do not import each other."""

MAY_USE_A_CLONE = "eegdiffusion/commands"
"""Its commands may import stages within a function, as they say so where there is no clone."""

HEAVY = {"torch", "lightning", "diffusers", "transformers", "torchvision"}
SHOWS = {"mlflow", "matplotlib"}
COMPUTES = [path for path in sorted(Path("components").glob("*/compute.py")) if path.parent.name not in DRAWS]
LIGHT = [name for name in stage_names() if read(name).image == "data"]
AIRFLOWS = {"airflow", "docker", "kubernetes", "yaml"}
"""Airflow, the clients of its providers, and YAML."""


def layer(path: Path) -> int | None:
    """Return the number of the layer that a file is of; None for the head of the package."""
    for number, wings in enumerate(LAYERS):
        if any(path.is_relative_to(wing) for wing in wings):
            return number
    return None


def wing(path: Path) -> str:
    return next(name for names in LAYERS for name in names if path.is_relative_to(name))


@cache
def imported_names(path: Path) -> frozenset[str]:
    """Return the dotted names that a file imports, whenever it does; what only type checkers import is left out."""
    names, queue = set(), [ast.parse(path.read_text())]
    while queue:
        node = queue.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            queue += node.orelse
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        queue += ast.iter_child_nodes(node)
    return frozenset(names)


def imports(path: Path) -> set[Path]:
    """Return the project files that a file itself imports."""
    files = (Path(*name.split(".")) for name in imported_names(path))
    return {file for path in files for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()}


def externals(files: set[Path]) -> set[str]:
    """Return the packages that files import."""
    return {name.partition(".")[0] for path in files for name in imported_names(path)}


FILES = sorted(path for package in ("components", "eegdiffusion") for path in Path(package).rglob("*.py"))


def test_imports_run_downward():
    upward = []
    for path in FILES:
        if (own := layer(path)) is None:
            continue
        for target in imports(path):
            other = layer(target)
            same_wing = other is not None and wing(path) == wing(target)
            lazily = wing(path) == MAY_USE_A_CLONE
            if other is not None and not same_wing and other <= own and not lazily:
                upward.append(f"{path} -> {target}")
    assert not upward


def test_a_stage_uses_no_other_stages_code_but_its_settings():
    """An ablation trains by the settings of finetune_lft; what stages share lies in the library."""
    across = [
        f"{path} -> {target}"
        for path in FILES
        if path.is_relative_to("components")
        for target in imports(path)
        if target.is_relative_to("components") and target.name not in ("settings.py", "__init__.py")
        if target.parts[1] != path.parts[1]
    ]
    assert not across


@pytest.mark.parametrize("path", COMPUTES, ids=lambda path: path.parent.name)
def test_compute_reaches_nothing_that_observes(path):
    files = closure(path)
    observing = sorted(file.as_posix() for file in files if file.as_posix().startswith(NEVER_DECIDES))
    assert not observing
    assert not externals(files) & SHOWS


@pytest.mark.parametrize("name", [name for name in LIGHT if Path("components", name, "compute.py") in COMPUTES])
def test_compute_in_the_data_image_reaches_no_torch(name):
    assert not externals(closure(Path("components", name, "compute.py"))) & HEAVY


@pytest.mark.parametrize("folder", ["signal", "storage"])
def test_signals_and_storage_need_no_torch(folder):
    files = set(Path("eegdiffusion", "core", folder).rglob("*.py"))
    assert not externals(closure(*files)) & HEAVY


def test_dags_import_airflow_yaml_and_the_standard_library():
    files = sorted(Path("dags").glob("*.py"))
    own = {path.stem for path in files}
    assert not externals(set(files)) - own - AIRFLOWS - sys.stdlib_module_names
