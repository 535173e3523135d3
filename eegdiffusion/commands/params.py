"""Change ``params.yaml``, comments kept: ``eeg params``."""

from pathlib import Path

import click

from eegdiffusion.commands.command_line import PATH, Choice, Group
from eegdiffusion.commands.profile import profiles, read_profile
from eegdiffusion.core.runtime.errors import InputError


def assign(document: dict, name: str, value: object) -> None:
    """Set the field at a dotted name; one that stood at its default is added.

    Args:
        document: a parsed ``params.yaml``.
        name: a field that the section's class has, or an entry of a section whose entries the user names.
        value: the new value.

    Raises:
        InputError: there is no such field; the message names the one that is most like it.
    """
    from eegdiffusion.operations.configuration.sections import takes, unknown_name

    if not takes(name, document):
        raise unknown_name(name, document)
    *parents, field = name.split(".")
    for part in parents:
        if not isinstance(document.get(part), dict):
            document[part] = {}
        document = document[part]
    document[field] = value


def update(document: dict, changes: dict, prefix: str = "") -> None:
    """Set every leaf of a nested mapping of fields; mappings of the user's own names are replaced as a whole."""
    from eegdiffusion.operations.configuration.sections import has_fields

    for name, value in changes.items():
        if isinstance(value, dict) and has_fields(prefix + name):
            update(document, value, f"{prefix}{name}.")
        else:
            assign(document, prefix + name, value)


def parsed(text: str) -> object:
    """Return the value of an assignment, by YAML 1.2's rule for numbers: ``1e-3`` is one."""
    import yaml

    from eegdiffusion.core.runtime.settings import FLOAT_1_2

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{text!r}: is no value in YAML: {' '.join(str(error).split())}") from error
    if isinstance(value, str) and FLOAT_1_2.fullmatch(value):
        return float(value)
    return value


@click.command("params", cls=Group)
def command() -> None:
    """Change params.yaml; its comments stay."""


@command.command("set")
@click.argument("assignments", nargs=-1, required=True, metavar="SECTION.FIELD=VALUE...")
def set_fields(assignments: tuple[str, ...]) -> None:
    """Set fields, e.g. hardware.devices=4; values are YAML. Fields that stand at their default are added."""
    from eegdiffusion.commands.params_file import edit

    with edit() as document:
        for assignment in assignments:
            name, equals, value = assignment.partition("=")
            if not (equals and name):
                raise InputError(f"{assignment!r}: must be section.field=value")
            assign(document, name, parsed(value))


@command.command("profile")
@click.argument("name", type=Choice(profiles()))
def put_profile(name: str) -> None:
    """Put papers' settings in place: paper (EEGDM), paper-things (THINGS-EEG2), paper-eegcvpr40 (EEGCVPR40)."""
    from eegdiffusion.commands.params_file import edit

    with edit() as document:
        read_profile(name).put(document)


@command.command("schema")
@click.option("--check", is_flag=True, help="Write nothing; fail where the file differs.")
def write_schema(check: bool) -> None:
    """Write params.schema.json, by which editors complete and check params.yaml."""
    from eegdiffusion.operations.configuration.schema import SCHEMA, schema_text

    text = schema_text()
    if SCHEMA.is_file() and SCHEMA.read_text() == text:
        return
    if check:
        raise InputError(f"{SCHEMA}: is not what the settings classes say; run `eeg params schema`")
    SCHEMA.write_text(text)


@command.command("corpora")
@click.option("--tuev", type=PATH, help="TUEV's edf folder.")
@click.option("--things", type=PATH, help="THINGS-EEG2 or THINGS-EEG1; without it images are left out.")
def put_corpora(tuev: Path | None, things: Path | None) -> None:
    """Put corpora of your own in the place of the demo's."""
    from eegdiffusion.commands.own_corpora import give
    from eegdiffusion.commands.params_file import edit

    with edit() as document:
        give(document, tuev, things)
