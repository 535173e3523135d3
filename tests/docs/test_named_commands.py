"""Commands that a sentence, a message or a help text names in passing are there, and so are the options it gives."""

import argparse
import re

import click
import pytest

from eegdiffusion.commands.app import app
from tests.docs.documents import named_commands
from tests.e2e.workspace import ROOT

NAMED = named_commands()


def _of(program: str) -> list[str]:
    return sorted({words for _, words in NAMED if words.split()[0] == program})


def _unknown(words: list[str], command: click.Command) -> str | None:
    """Return the first word that a command does not know, if any: a command below it, or an option."""
    context = click.Context(command)
    while words and isinstance(command, click.Group):
        name, *words = words
        if (below := command.get_command(context, name)) is None:
            return name
        command, context = below, click.Context(below, parent=context)
    if command.name == "airflow":  # the rest is Airflow's
        return None
    options = {name for param in command.get_params(context) for name in (*param.opts, *param.secondary_opts)}
    return next((word for word in words if word.startswith("-") and word.partition("=")[0] not in options), None)


def test_there_are_such_sentences():
    assert len(_of("eeg")) > 10
    assert len(_of("make")) > 8
    assert len(_of("dvc")) > 5


@pytest.mark.parametrize("words", _of("eeg"))
def test_a_command_of_eeg_is_there(words):
    assert _unknown(words.split()[1:], app) is None


def test_what_is_not_there_is_seen():
    assert _unknown(["predct"], app) == "predct"
    assert _unknown(["params", "sett"], app) == "sett"
    assert _unknown(["predict", "x", "--modle", "y"], app) == "--modle"
    assert _unknown(["predict", "x", "--model", "y"], app) is None


@pytest.mark.parametrize("words", _of("make"))
def test_a_target_is_there(words):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert words.split()[1] in targets


def _below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the commands below a command of DVC, by name."""
    return {name: below for action in parser._actions if isinstance(action.choices, dict)
            for name, below in action.choices.items()}  # fmt: skip


@pytest.mark.parametrize("words", _of("dvc"))
def test_a_command_of_dvc_is_there(words):
    from dvc.cli.parser import get_main_parser

    parser = get_main_parser()
    for word in words.replace(":", "").split()[1:]:
        if not (below := _below(parser)):
            break  # a stage
        assert word in below
        parser = below[word]
