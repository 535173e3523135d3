"""Each line of SECURITY.md's tables of threats names tests that exist, or says that it is open."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def threats(page: str) -> list[tuple[str, str, str]]:
    """Return the rows of the tables under the heading Threats: what is tried, what happens, what holds it."""
    lines = re.findall(r"^\|.*\|$", page.partition("\n## Threats\n")[2].partition("\n## ")[0], re.MULTILINE)
    rows = [tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]) for line in lines]
    return [row for row in rows if row[-1] != "held by" and not set(row[0]) <= set("-: ")]


@cache
def names_of(path: Path) -> set[str]:
    """Return the names of the tests of a file."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def fault(row: tuple[str, ...]) -> str | None:
    """Return what is wrong with a row, or None."""
    if len(row) != 3 or not row[0] or not row[1]:
        return "must have three cells: what is tried, what happens, the tests that hold it"
    named = TEST.findall(row[2])
    if TEST.sub("", row[2]).strip(", ") or (not named and "**open**:" not in row[1]):
        return "must name tests as `tests/<file>.py::<test>`, or say **open**: and what happens today"
    lost = [f"{path}::{test}" for path, test in named if not Path(path).is_file() or test not in names_of(Path(path))]
    return f"names tests that do not exist: {', '.join(lost)}" if lost else None


def test_every_threat_names_the_tests_that_hold_it_or_says_that_it_is_open():
    rows = threats(Path("SECURITY.md").read_text())
    assert len(rows) > 20
    assert not {row[0]: wrong for row in rows if (wrong := fault(row))}


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("| a | b | |", "must name tests"),
        ("| a | b | somebody looks |", "must name tests"),
        ("| a | b | `tests/contracts/test_threats.py::test_of_nothing` |", "do not exist"),
        ("| a | **open**: b | `tests/nowhere.py::test_x` |", "do not exist"),
        ("| a | b | `tests/contracts/test_threats.py::fault` |", "do not exist"),
        ("| a | b |", "three cells"),
        ("| a | | |", "three cells"),
    ],
)
def test_a_row_that_holds_nothing_is_named(row, rule):
    (parsed,) = threats(f"x\n## Threats\n\n| tries | happens | held by |\n|---|---|---|\n{row}\n\n## Else\n| q |\n")
    assert rule in fault(parsed)
