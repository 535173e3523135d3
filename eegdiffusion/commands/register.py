"""Register the models of the last ``dvc repro``: ``eeg register``."""

import click

from eegdiffusion.commands.command_line import Command
from eegdiffusion.core.runtime.printable import say


@click.command("register", cls=Command)
def command() -> None:
    """Register the models of the last run: new versions, with cards, under the alias challenger."""
    from eegdiffusion.operations.registry.registration import register_model
    from eegdiffusion.operations.registry.registry_config import trained_models

    for name, entry in trained_models().items():
        version = register_model(name, entry)
        scores = [f"{key} {version.tags[f'{key}.mean']}" for key in entry.metrics]
        say(f"models:/{name}/{version.version}  ({version.tags['corpus']} data; {', '.join(scores)})")
