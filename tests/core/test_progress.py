"""Progress is a bar in a terminal and a line now and then in a log."""

import io
import sys

import pytest

from eegdiffusion.core.runtime import progress as module
from eegdiffusion.core.runtime.progress import progress


class Stream(io.StringIO):
    """A stream that is a terminal, or is none."""

    def __init__(self, terminal: bool):
        super().__init__()
        self.isatty = lambda: terminal


def stream(monkeypatch, terminal):
    """Put a stream in the place of stderr; not by a fixture, as pytest sets it anew before a test is called."""
    monkeypatch.setattr(sys, "stderr", Stream(terminal))
    return sys.stderr


def test_quick_work_leaves_nothing_in_a_log(monkeypatch):
    log = stream(monkeypatch, terminal=False)
    assert list(progress(range(3), "counting")) == [0, 1, 2]
    with progress(total=3, desc="counting") as bar:
        bar.set_postfix_str("kappa 0.5")
        bar.update(2)
    with pytest.raises(ZeroDivisionError), progress(total=3, desc="counting"):
        _ = 1 / 0
    assert log.getvalue() == ""


def test_long_work_writes_whole_lines_to_a_log(monkeypatch):
    log = stream(monkeypatch, terminal=False)
    monkeypatch.setattr(module, "PERIOD_S", 0)
    for number in progress(range(3), "counting", unit="number"):
        if number == 1:
            for _ in progress(range(2), "inside", unit="part"):
                pass
    with progress(total=2, desc="training", unit="batch") as bar:
        bar.set_postfix_str("kappa 0.5", refresh=False)
        bar.update()
    text = log.getvalue()
    assert "\r" not in text
    assert "\x1b" not in text
    lines = text.splitlines()
    assert all(line.startswith(("counting: number", "inside: part", "training: batch")) for line in lines)
    assert any(line.startswith("counting: number 2 of 3, ") for line in lines)
    assert any(line.startswith("inside: part 1 of 2, ") for line in lines)
    assert lines[-1].startswith("training: batch 1 of 2, ")
    assert lines[-1].endswith(" left, kappa 0.5")


def test_a_terminal_gets_a_bar(monkeypatch):
    terminal = stream(monkeypatch, terminal=True)
    assert list(progress(range(3), "counting")) == [0, 1, 2]
    assert "\rcounting: 100%" in terminal.getvalue()
