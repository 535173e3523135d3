"""What stands in the name of a file or in a label never moves a terminal's cursor or makes a line of its own."""

import io
import subprocess
import sys

import pytest

from eegdiffusion.core.runtime import shell
from eegdiffusion.core.runtime.errors import InputError, UnavailableError
from eegdiffusion.core.runtime.printable import printable, say

HOSTILE = {
    "a\neeg: done": r"a\neeg: done",
    "a\r\x1b[2K\x1b[1Aeeg: done": r"a\r\x1b[2K\x1b[1Aeeg: done",
    "\x1b]0;title\x07": r"\x1b]0;title\x07",
    "\x9b31m": r"\x9b31m",
    "a\u202egpj.edf": r"a\u202egpj.edf",
    "a\u2028b": r"a\u2028b",
    "a\x85b\x0bc": r"a\x85b\x0bc",
    "\u200fa": r"\u200fa",
    "a\udcebb": r"a\xebb",
    "tab\there": r"tab\there",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_stays_in_its_line(text):
    assert printable(text) == HOSTILE[text]
    stream = io.StringIO()
    say(text, f"x {text}", stream=stream)
    assert stream.getvalue() == f"{HOSTILE[text]}\nx {HOSTILE[text]}\n"


@pytest.mark.parametrize("kind", [InputError, UnavailableError])
@pytest.mark.parametrize("text", HOSTILE)
def test_an_error_has_the_lines_that_it_was_given_and_no_more(kind, text, capsys):
    error = kind(f"{text}: field: rule", "second")
    assert str(error).split("\n") == [f"{HOSTILE[text]}: field: rule", "second"]
    with pytest.raises(SystemExit), shell.errors_as_exit_status("stage"):
        raise error
    assert capsys.readouterr().err == f"stage: {HOSTILE[text]}: field: rule\nsecond\n"


def test_what_a_stream_cannot_encode_is_escaped():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    say("é", stream=stream)
    assert stream.buffer.getvalue() == b"\\xe9\n"


def test_warnings_of_libraries_are_printed_in_a_line():
    code = (
        "import warnings; from eegdiffusion.core.runtime import shell; shell.hide_advice_to_developers();"
        r"warnings.warn('channel \x1b[2J\nstage: done')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert r"channel \x1b[2J\nstage: done" in done.stderr


def test_nothing_else_of_the_package_prints():
    """Ruff's rule T201 holds it; here, that the rule is on, and where it is not."""
    code = "print('x')\n"
    words = [sys.executable, "-m", "ruff", "check", "--quiet", "--stdin-filename"]
    for path, status in (("eegdiffusion/core/x.py", 1), ("components/report/x.py", 1), ("tests/x.py", 0)):
        done = subprocess.run([*words, path, "-"], input=code, capture_output=True, text=True)
        assert ("T201" in done.stdout) == bool(status), path
