"""Make the demo's corpora: ``eeg surrogate tuev`` and ``eeg surrogate things``."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import click

from eegdiffusion.commands.command_line import PATH, Choice, Group
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.storage.packages import CACHE
from eegdiffusion.surrogate.things.things_settings import STIMULI, SurrogateThings
from eegdiffusion.surrogate.tuev.tuev_settings import SurrogateTuev


def _settings_options(settings: type) -> Callable:
    """Give a command an option for each field of a settings class."""

    def decorate(function: Callable) -> Callable:
        for field in reversed(dataclasses.fields(settings)):
            name = f"--{field.name.replace('_', '-')}"
            option = click.option(name, type=type(field.default), default=field.default, show_default=True)
            function = option(function)
        return function

    return decorate


@click.command("surrogate", cls=Group)
def command() -> None:
    """Make the demo's corpora: the layout of the licensed ones, and none of their data."""


@command.command("tuev")
@click.option("--out", type=PATH, default="data/raw/surrogate-tuev/edf", show_default=True, help="Folder to make.")
@click.option("--cache", type=PATH, default=CACHE, show_default=True, help="Folder that keeps the download.")
@_settings_options(SurrogateTuev)
def make_tuev(out: Path, cache: Path, **settings: float) -> None:
    """Make recordings with events in TUEV's layout, from real EEG at rest."""
    options = validate(settings, SurrogateTuev, "surrogate tuev")
    from eegdiffusion.surrogate.tuev.tuev_demo import build

    build(out, cache, options)


@command.command("things")
@click.option("--stimuli", type=Choice(STIMULI), default="objects", show_default=True, help="What is shown.")
@click.option(
    "--out", type=PATH, help="Folder to make (default: data/raw/surrogate-things/corpus, -tangrams, -collection)."
)
@click.option("--cache", type=PATH, default=CACHE, show_default=True, help="Folder that keeps the downloads.")
@_settings_options(SurrogateThings)
def make_things(stimuli: str, out: Path | None, cache: Path, **settings: float) -> None:
    """Make images and simulated responses of EEG to them, in THINGS-EEG2's or Kilogram's layout."""
    options = validate(settings, SurrogateThings, "surrogate things")
    from eegdiffusion.surrogate.things.things_demo import build

    folder = "things" if stimuli == "objects" else stimuli
    build(stimuli, out or Path(f"data/raw/surrogate-{folder}/corpus"), cache, options)
