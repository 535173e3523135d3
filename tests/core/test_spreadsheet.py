"""No text of a user's is a formula, or more than one cell, to the spreadsheet that opens a table."""

import csv
import io
import re
from pathlib import Path

import pandas
import pytest

from eegdiffusion.core.runtime.printable import printable
from eegdiffusion.core.storage.spreadsheet import as_cell, of_cell, write_rows, write_table

FORMULAS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://example.org","x")',
    "+1+1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\N{FULLWIDTH EQUALS SIGN}1+1",
    "'=1+1",
    "-a.edf",
    "+49.edf",
]
HONEST = ["a; -b", "seizure", "a=b", "a-b", "-1.5", "+1e-3", "-.5", "", "Fp1-F7", "'quoted'", "é"]


def cells_of(text: str, delimiter: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text), delimiter=delimiter))


@pytest.mark.parametrize("text", FORMULAS)
def test_text_that_begins_as_a_formula_gets_an_apostrophe(text):
    cell = as_cell(text)
    assert cell[0] == ("\\" if text[0].isspace() else "'")  # control characters are written out
    assert cell.isprintable()
    assert of_cell(cell) == printable(text)


@pytest.mark.parametrize("text", HONEST)
def test_other_text_stays(text):
    assert as_cell(text) == text
    assert of_cell(text) == text


def test_numbers_stay():
    assert [as_cell(value) for value in (-1, -1.5, None, True)] == [-1, -1.5, None, True]


@pytest.mark.parametrize("text", [*FORMULAS, "a;=1+1", "a\t=1+1", "a,=1+1", 'a";"=1+1', "a|=1+1", "a;=1+1;b", "a;'=1"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_of_a_table_is_a_formula_in_any_country(text, delimiter, tmp_path):
    path = tmp_path / "table.csv"
    write_table(path, pandas.DataFrame({"label": [text, "x"], text: [-1.5, 2.0]}))
    with io.StringIO(newline="") as file:
        write_rows(file, [{"label": text, "n": -1.5, "left out": 1}], ["label", "n"])
        written = file.getvalue()
    assert of_cell(as_cell(text)) == printable(text)
    for content in (path.read_text(), written):
        for cell in (cell for row in cells_of(content, delimiter) for cell in row):
            assert not re.match(r"\s*[=+@\N{FULLWIDTH EQUALS SIGN}]|-(?!1\.5)", cell), content


def test_a_table_is_read_back(tmp_path):
    frame = pandas.DataFrame({"label": HONEST[:5], "x": [1.5, -2.0, 0.25, float("nan"), 3.0]})
    write_table(tmp_path / "table.csv", frame, na_rep="nan")
    assert (tmp_path / "table.csv").read_text() == frame.to_csv(index=False, na_rep="nan")


WRITERS = re.compile(r"to_csv\((?!\)|index)|csv\.(Dict)?[wW]riter\(|to_excel\(|\.savetxt\(")


def test_every_table_is_written_so():
    """What the surrogate writes is its own; a table for a hash has no path; tables of standards hold no free text."""
    found = {
        path.as_posix()
        for package in ("eegdiffusion", "components")
        for path in Path(package).rglob("*.py")
        if WRITERS.search(path.read_text())
    }
    assert found == {
        "eegdiffusion/core/storage/spreadsheet.py",
        "eegdiffusion/events/prediction/events_tsv.py",
        "eegdiffusion/surrogate/things/tangram_corpus.py",
    }
