"""Names: of variables, of modules, of classes."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

PACKAGES = ("components", "eegdiffusion", "dags")

REFUSED = frozenset({"found", "made", "told", "there", "one", "rest"})
"""Words that say how a value came about, and nothing of what it is."""

EVERYWHERE = frozenset({"__init__", "__main__", "settings", "compute"})
"""Modules that each folder of a kind has."""

WINGS = ("commands", "core", "events", "images", "modules", "operations", "report", "surrogate")


def modules(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted(Path(package).rglob("*.py"))


def bound_names(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of each variable, field and parameter of a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
            yield node.lineno, node.name


def test_every_kind_of_name_is_seen():
    source = "def f(made, *rest, told=0): pass\nfound: int = 0\nfor one in []: pass\nwith f() as there: pass\n"
    assert {name for _, name in bound_names(source)} == REFUSED
    assert list(bound_names("match 0:\n    case [found, *rest]: pass")) == [(2, "found"), (2, "rest")]


def test_variables_name_the_thing():
    refused = [
        f"{path}:{line}: {name}"
        for path in modules(*PACKAGES)
        for line, name in bound_names(path.read_text())
        if name in REFUSED
    ]
    assert not refused, "\n".join(refused)


def test_no_module_name_stands_more_than_twice():
    names = Counter(path.stem for path in modules(*PACKAGES))
    assert not {name: count for name, count in names.items() if count > 2 and name not in EVERYWHERE}


@pytest.mark.parametrize("wing", WINGS)
def test_no_two_classes_of_a_branch_share_a_name(wing):
    # Both branches stand on core, so that its names are theirs too.
    folders = [f"eegdiffusion/{wing}", *(["eegdiffusion/core"] if wing in ("events", "images") else [])]
    classes: dict[str, list[str]] = {}
    for path in modules(*folders):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                classes.setdefault(node.name, []).append(path.as_posix())
    assert classes
    assert not {name: paths for name, paths in classes.items() if len(paths) > 1}


def test_every_wing_is_looked_at():
    assert {path.parent.name for path in Path("eegdiffusion").glob("*/__init__.py")} == set(WINGS)
