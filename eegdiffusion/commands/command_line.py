"""The classes of click that every command of ``eeg`` is made of.

A module of a command imports what its help and the check of its arguments need; all else is imported by the function
that does the work, so that help and errors come at once.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
from click.core import ParameterSource

from eegdiffusion.commands import checkout
from eegdiffusion.core.runtime.errors import nearest

PATH = click.Path(path_type=Path)
"""A path, relative to where the user stands."""


class Choice(click.Choice):
    """One of several words; a typo is answered with the nearest."""

    def convert(self, value, param, ctx):
        """Return the word that was chosen, or raise an error that names the nearest."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            message = error.message.rstrip(".") + nearest(str(value), map(str, self.choices))
            raise click.BadParameter(message, ctx, param) from None


class SeveralOption(click.Option):
    """An option that takes all the words up to the next option, ``--arms full zeroed``, and may be given repeatedly."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings | {"multiple": True})


class Command(click.Command):
    """A command of ``eeg``.

    Args:
        *args: positional arguments of :class:`click.Command`.
        clone: whether the command needs a clone of the repository, or a function that tells it from its parameters.
        **settings: keyword arguments of :class:`click.Command`.
    """

    def __init__(self, *args, clone: bool | Callable[[dict], bool] = True, **settings):
        super().__init__(*args, **settings)
        self._clone = clone if callable(clone) else lambda _: clone

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, of which some options take several words."""
        several = {name for param in self.params if isinstance(param, SeveralOption) for name in param.opts}
        return super().parse_args(ctx, _repeated(args, several))

    def invoke(self, ctx: click.Context):
        """Run the command: within ``eeg`` in the clone's folder, errors of the user as a line and an exit status.

        By itself, as tests call it, a command runs where it is and raises its errors.
        """
        if ctx.obj is None:
            return super().invoke(ctx)
        from eegdiffusion.core.runtime import shell

        return shell.run(ctx.command_path.partition(" ")[2], partial(self._invoke_in_clone, ctx))

    def _invoke_in_clone(self, ctx: click.Context):
        root = checkout.enter(required=self._clone(ctx.params))
        if root not in (None, ctx.obj):
            for name, value in ctx.params.items():
                if isinstance(value, Path) and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                    ctx.params[name] = ctx.obj / value
        try:
            return super().invoke(ctx)
        except Exception as error:
            exceptions = sys.modules.get(
                "mlflow.exceptions"
            )  # a command that has not loaded MLflow meets none of its errors
            if exceptions is None or not isinstance(error, exceptions.MlflowException):
                raise
            from eegdiffusion.core.observe.tracking.server import errors_explained

            with errors_explained():
                raise


class Group(click.Group):
    """A command with commands below it."""

    command_class = Command


def _repeated(args: list[str], several: set[str]) -> list[str]:
    """Write ``--arms a b`` as ``--arms a --arms b`` for the options ``several``."""
    repeated: list[str] = []
    option: str | None = None
    for position, word in enumerate(args):
        if word == "--":
            return repeated + args[position:]
        if word.startswith("-"):
            option = word if word in several else None
            if option and position + 1 < len(args) and not args[position + 1].startswith("-"):
                continue  # it is written with each of its words
            repeated.append(word)
        else:
            repeated += [option, word] if option else [word]
    return repeated
