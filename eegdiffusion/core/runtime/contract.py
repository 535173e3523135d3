"""The contract of a stage, ``components/<stage>/component.yaml``."""

import re
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import StringConstraints

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import load, section, settings, validate

ROOT = Path("components")

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


@settings
class Argument:
    """A command-line argument: one axis of the stage's matrix."""

    name: Name
    type: Literal["String", "Integer"]
    description: str


@settings
class Artifact:
    """An input or output. ``path`` may hold ``{argument}`` and ``${section.field}`` of ``params.yaml``."""

    name: Name
    path: str
    description: str


@settings
class Component:
    """What a stage is called, takes, makes and runs in."""

    name: Name
    description: str
    image: Literal["data", "train"]
    command: list[str]
    arguments: list[Argument] = ()
    inputs: list[Artifact] = ()
    outputs: list[Artifact]
    params: list[str]


def read(stage: str) -> Component:
    """Read the contract of a stage by its name."""
    path = ROOT / stage / "component.yaml"
    if not path.is_file():
        raise InputError(f"components/{stage}/component.yaml: no such file; {stage!r} is not a stage")
    return validate(yaml.safe_load(path.read_text()), Component, f"components/{stage}/component.yaml")


def resolve(template: str, item: dict, document: dict | None = None) -> str:
    """Fill ``{argument}`` and then ``${section.field}`` in a path or the name of a section.

    Args:
        template: e.g. ``models/lft/seed-{seed}`` or ``${event_corpora.tuev.root}``.
        item: values of the arguments.
        document: the parsed ``params.yaml``; read when not given.
    """
    template = re.sub(r"(?<!\$)\{(\w+)\}", lambda match: str(item[match[1]]), template)
    return re.sub(r"\$\{([\w.]+)\}", lambda match: str(section(document or load(), match[1])), template)
