"""Change ``params.yaml``, comments kept.

``python -m eegdiffusion.commands.params set section.field=value ...`` sets fields;
``python -m eegdiffusion.commands.params profile NAME`` puts the fields of ``NAME.yaml`` beside this file in place;
``python -m eegdiffusion.commands.params corpora`` puts corpora of one's own in the place of the demo's.
"""

import argparse
from pathlib import Path

import yaml

from eegdiffusion.commands.own_corpora import give
from eegdiffusion.commands.params_file import edit
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import PARAMS, section

PROFILES = Path(__file__).with_name("profiles")


def assign(document: dict, name: str, value: object) -> None:
    """Set the field at a dotted name; it must be there already, so that a misspelt one is refused."""
    parent, _, field = name.rpartition(".")
    owner = section(document, parent) if parent else document
    if not isinstance(owner, dict) or field not in owner:
        raise InputError(f"{PARAMS}: {name}: there is no such field")
    owner[field] = value


def update(document: dict, changes: dict, prefix: str = "") -> None:
    """Set every leaf of a nested mapping; an empty section is open and takes what it gets."""
    for name, value in changes.items():
        if isinstance(value, dict) and section(document, prefix + name):
            update(document, value, f"{prefix}{name}.")
        else:
            assign(document, prefix + name, value)


def profiles() -> list[str]:
    """Names of the profiles."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m eegdiffusion.commands.params", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("set").add_argument("assignments", nargs="+", metavar="section.field=value")
    commands.add_parser("profile").add_argument("name", choices=profiles())
    corpora = commands.add_parser("corpora")
    corpora.add_argument("--tuev", type=Path, help="TUEV's edf folder")
    corpora.add_argument("--things", type=Path, help="THINGS-EEG2 or THINGS-EEG1; without it images are left out")
    arguments = parser.parse_args(argv)
    try:
        with edit() as document:
            if arguments.command == "profile":
                update(document, yaml.safe_load((PROFILES / f"{arguments.name}.yaml").read_text()))
                return
            if arguments.command == "corpora":
                give(document, arguments.tuev, arguments.things)
                return
            for assignment in arguments.assignments:
                name, equals, value = assignment.partition("=")
                if not equals:
                    raise InputError(f"{assignment!r}: must be section.field=value")
                assign(document, name, yaml.safe_load(value))
    except InputError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
