"""Make corpora without licensed data: ``eeg surrogate tuev``, ``chbmit``, ``things`` and ``generator``."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import click

from eegdiffusion.commands.command_line import PATH, Choice, Group
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.storage.packages import CACHE
from eegdiffusion.core.training.settings import Accelerator, Hardware
from eegdiffusion.surrogate.chbmit.chbmit_settings import SurrogateChbMit
from eegdiffusion.surrogate.text_to_image.miniature_settings import Miniature
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
    """Make what the demo works on: the layout of the licensed corpora, and none of their data."""


@command.command("tuev")
@click.option("--out", type=PATH, default="data/raw/surrogate-tuev/edf", show_default=True, help="Folder to make.")
@click.option("--cache", type=PATH, default=CACHE, show_default=True, help="Folder that keeps the download.")
@_settings_options(SurrogateTuev)
def make_tuev(out: Path, cache: Path, **settings: float) -> None:
    """Make recordings with events in TUEV's layout, from real EEG at rest."""
    options = validate(settings, SurrogateTuev, "surrogate tuev")
    from eegdiffusion.surrogate.tuev.tuev_demo import build

    build(out, cache, options)


@command.command("chbmit")
@click.option("--out", type=PATH, default="data/raw/surrogate-chbmit/corpus", show_default=True, help="Folder to make.")
@click.option("--cache", type=PATH, default=CACHE, show_default=True, help="Folder that keeps the download.")
@_settings_options(SurrogateChbMit)
def make_chbmit(out: Path, cache: Path, **settings: float) -> None:
    """Make recordings with seizures in CHB-MIT's layout, from the spectra of real EEG at rest."""
    options = validate(settings, SurrogateChbMit, "surrogate chbmit")
    from eegdiffusion.surrogate.chbmit.chbmit_demo import build

    build(out, cache, options)


@command.command("things")
@click.option("--stimuli", type=Choice(STIMULI), default="objects", show_default=True, help="What is shown.")
@click.option(
    "--out",
    type=PATH,
    help="Folder to make (default: data/raw/surrogate-things/corpus, -classes, -tangrams).",
)
@click.option("--cache", type=PATH, default=CACHE, show_default=True, help="Folder that keeps the downloads.")
@_settings_options(SurrogateThings)
def make_things(stimuli: str, out: Path | None, cache: Path, **settings: float) -> None:
    """Make images and simulated responses of EEG to them, in THINGS-EEG2's or Kilogram's layout."""
    options = validate(settings, SurrogateThings, "surrogate things")
    from eegdiffusion.surrogate.things.things_demo import build

    folder = "things" if stimuli == "objects" else stimuli
    build(stimuli, out or Path(f"data/raw/surrogate-{folder}/corpus"), cache, options)


@command.command("generator")
@click.option("--out", type=PATH, default="generator", show_default=True, help="Folder to make.")
@click.option("--work", type=PATH, default="tmp/generator", show_default=True, help="Folder of checkpoints.")
@click.option("--cache", type=PATH, default=CACHE, show_default=True, help="Folder that keeps the downloads.")
@click.option("--seed", type=int, default=20, show_default=True, help="Seed of scenes, weights and noise.")
@click.option("--concepts", type=int, default=80, show_default=True, help="Number of concepts.")
@click.option("--pictures", type=int, default=40_000, show_default=True, help="Number of scenes.")
@click.option("--autoencoder-epochs", type=int, default=8, show_default=True, help="Epochs of the autoencoder.")
@click.option("--epochs", type=int, default=16, show_default=True, help="Epochs of UNet and text encoder.")
@click.option("--accelerator", type=Choice(get_args(Accelerator)), default="auto", show_default=True)
def make_generator(
    out: Path, work: Path, cache: Path, seed: int, concepts: int, pictures: int, autoencoder_epochs: int, epochs: int,
    accelerator: Accelerator,
) -> None:  # fmt: skip
    """Train the miniature of Stable Diffusion on drawings in scenes; hours on two cores, resumed where it ended.

    It needs npm, which fetches the drawings, and the package resvg-py, which draws them.
    """
    settings = validate({"seed": seed, "concepts": concepts, "pictures": pictures}, Miniature, "surrogate generator")
    settings = settings.trained_for(autoencoder_epochs, epochs)
    from eegdiffusion.core.runtime.git_repository import checked_out_revision
    from eegdiffusion.surrogate.text_to_image.miniature_build import build

    typed = f"eeg surrogate generator --seed {seed} --concepts {concepts} --pictures {pictures} "
    typed += f"--autoencoder-epochs {autoencoder_epochs} --epochs {epochs}"
    hardware = Hardware(accelerator=accelerator, precision="32-true")
    build(out, cache, work, settings, hardware, typed, checked_out_revision())
