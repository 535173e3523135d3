"""Tests lie where what they test lies."""

from pathlib import Path

import pytest

from tests.conftest import KINDS

FOLDERS = {path.name for path in Path("tests").iterdir() if path.is_dir() and any(path.glob("test_*.py"))}
WINGS = {path.name for path in Path("eegdiffusion").iterdir() if path.is_dir() and any(path.rglob("*.py"))}
OF_STAGES = {"report"}
"""Wings of one stage, which its tests test."""


def test_folders_are_the_wings_or_say_what_they_start():
    assert WINGS - OF_STAGES <= FOLDERS
    assert {*KINDS, "contracts", "docs"} == FOLDERS - WINGS


@pytest.mark.parametrize("wing", sorted(OF_STAGES))
def test_a_wing_of_one_stage_is_tested_with_it(wing):
    assert len(list(Path("tests/stages").glob(f"test_{wing}*.py"))) > 1


def test_names_do_not_number_tests():
    """Tests that build on each other are marked ``ordered``."""
    for path in Path("tests").rglob("test_*.py"):
        assert not [
            line for line in path.read_text().splitlines() if line.startswith(tuple(f"def test_{n}" for n in range(10)))
        ]
