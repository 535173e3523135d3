"""Change ``params.yaml``, comments kept: ``eeg params``."""

from collections.abc import Iterator
from pathlib import Path

import click

from eegdiffusion.commands.command_line import PATH, Choice, Group
from eegdiffusion.core.runtime.errors import InputError, nearest

PROFILES = Path(__file__).with_name("profiles")


def fields(document: dict, prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of all sections and fields of a parsed ``params.yaml``."""
    for name, value in document.items():
        yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from fields(value, f"{prefix}{name}.")


def assign(document: dict, name: str, value: object) -> None:
    """Set the field at a dotted name.

    Args:
        document: a parsed ``params.yaml``.
        name: a field that is there already.
        value: the new value.

    Raises:
        InputError: there is no such field; the message names the one that is most like it.
    """
    known = list(fields(document))
    if name not in known:
        raise InputError(f"params.yaml: {name}: there is no such field{nearest(name, known)}")
    section, _, field = name.rpartition(".")
    for part in filter(None, section.split(".")):
        document = document[part]
    document[field] = value


def update(document: dict, changes: dict, prefix: str = "") -> None:
    """Set every leaf of a nested mapping; an empty section is open and takes what it gets."""
    from eegdiffusion.core.runtime.settings import section

    for name, value in changes.items():
        if isinstance(value, dict) and section(document, prefix + name):
            update(document, value, f"{prefix}{name}.")
        else:
            assign(document, prefix + name, value)


def profiles() -> list[str]:
    """Return the names of the profiles."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


@click.command("params", cls=Group)
def command() -> None:
    """Change params.yaml; its comments stay."""


@command.command("set")
@click.argument("assignments", nargs=-1, required=True, metavar="SECTION.FIELD=VALUE...")
def set_fields(assignments: tuple[str, ...]) -> None:
    """Set fields, e.g. hardware.devices=4; values are YAML."""
    import yaml

    from eegdiffusion.commands.params_file import edit

    with edit() as document:
        for assignment in assignments:
            name, equals, value = assignment.partition("=")
            if not equals:
                raise InputError(f"{assignment!r}: must be section.field=value")
            assign(document, name, yaml.safe_load(value))


@command.command("profile")
@click.argument("name", type=Choice(profiles()))
def put_profile(name: str) -> None:
    """Put a profile's fields in place: paper has the papers' full settings."""
    import yaml

    from eegdiffusion.commands.params_file import edit

    with edit() as document:
        update(document, yaml.safe_load((PROFILES / f"{name}.yaml").read_text()))


@command.command("corpora")
@click.option("--tuev", type=PATH, help="TUEV's edf folder.")
@click.option("--things", type=PATH, help="THINGS-EEG2 or THINGS-EEG1; without it images are left out.")
def put_corpora(tuev: Path | None, things: Path | None) -> None:
    """Put corpora of your own in the place of the demo's."""
    from eegdiffusion.commands.own_corpora import give
    from eegdiffusion.commands.params_file import edit

    with edit() as document:
        give(document, tuev, things)
