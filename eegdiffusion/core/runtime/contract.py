"""The contract of a stage, ``components/<stage>/component.yaml``."""

import re
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import StringConstraints

from eegdiffusion.core.runtime.errors import InputError, nearest
from eegdiffusion.core.runtime.names import PATTERN, RULE
from eegdiffusion.core.runtime.settings import load, section, settings, validate

HERE = Path("components")

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


@settings
class Argument:
    """A command-line argument: one axis of the stage's matrix."""

    name: Name
    """Name of the argument, without dashes."""
    type: Literal["String", "Integer"]
    """Type of its values, by Kubeflow's names."""
    description: str
    """What the argument chooses, for ``--help`` and the page of stages."""


@settings
class Artifact:
    """An input or output. ``path`` may hold ``{argument}`` and ``${section.field}`` of ``params.yaml``."""

    name: Name
    """Name by which the stage asks for the artifact."""
    path: str
    """Path of the artifact; ``{argument}`` and ``${section.field}`` of ``params.yaml`` are filled in."""
    description: str
    """What the artifact holds, for the page of stages."""


@settings
class Contract:
    """What a stage is called, takes, makes and runs in."""

    name: Name
    """Name of the stage, of its folder and of its Airflow task."""
    description: str
    """What the stage does, in a sentence or two."""
    image: Literal["data", "train"]
    """Container image that the stage runs in; ``data`` has no torch."""
    command: list[str]
    """Words of the command that runs the stage."""
    arguments: Sequence[Argument] = ()
    """Arguments of the command, which choose an item of the stage's matrix."""
    inputs: Sequence[Artifact] = ()
    """Files and folders that the stage reads."""
    outputs: list[Artifact]
    """Files and folders that the stage writes."""
    params: list[str]
    """Sections and fields of ``params.yaml`` that decide the result; those of :data:`.stage_hardware.SECTION` that are
    not listed say how the stage runs, and may change without a rerun."""


def stages_folder() -> Path:
    """Return the folder of the stages: that of the working directory, else that of the package that is imported.

    Raises:
        InputError: there is neither.
    """
    if HERE.is_dir():
        return HERE
    package = find_spec(HERE.name)
    if package is None or not package.origin:
        raise InputError(f"{Path.cwd()}: holds no folder {HERE}/; run from the root of the repository, beside dvc.yaml")
    return Path(package.origin).parent


def stage_names() -> list[str]:
    """Return the names of all stages of the repository, sorted."""
    return sorted(path.parent.name for path in stages_folder().glob("*/component.yaml"))


def read(stage: str) -> Contract:
    """Read the contract of a stage by its name.

    Raises:
        InputError: the working directory is no repository, there is no such stage, or its file breaks a rule.
    """
    path = stages_folder() / stage / "component.yaml"
    if not path.is_file():
        raise InputError(f"{path}: no such file; {stage!r} is not a stage{nearest(stage, stage_names())}")
    return validate(yaml.safe_load(path.read_text()), Contract, str(path))


STAGE = re.compile(rf"(?:[^@]*dvc\.yaml:)?(?P<stage>[a-z][a-z0-9_]*)@(?P<key>{PATTERN})")
"""Name of an item's stage, as DVC has it: with the path of ``dvc.yaml`` where DVC was called from another folder."""


def item_of(agreed: Contract, name: str) -> dict:
    """Return the item that a stage of DVC runs for, by the stage's name.

    Args:
        agreed: the contract of the stage.
        name: e.g. ``finetune_lft@recorded-0``, as DVC gives it to a stage's command in the variable ``DVC_STAGE``.

    Returns:
        values of the arguments, by name.

    Raises:
        InputError: it is no name of an item of this stage, or could be one of several.
    """
    match = STAGE.fullmatch(name)
    if match is None or match["stage"] != agreed.name:
        raise InputError(f"--item: must be {agreed.name}@NAME, and NAME {RULE} (found {name!r})")
    items = list(_items(match["key"].split("-"), agreed.arguments))
    if len(items) != 1:
        names = ", ".join(argument.name for argument in agreed.arguments)
        raise InputError(f"--item: {name!r} is {'several items' if items else 'no item'} of {agreed.name} ({names})")
    return items[0]


def _items(words: list[str], arguments: Sequence[Argument]) -> Iterator[dict]:
    """Yield the ways in which words that stand between dashes are values of arguments, in their order."""
    if not arguments:
        yield from [{}] * (not words)
        return
    first, *others = arguments
    for count in range(1, len(words) - len(others) + 1):
        value = "-".join(words[:count])
        if first.type == "Integer" and not re.fullmatch("0|[1-9][0-9]*", value):
            continue
        taken = {first.name: int(value) if first.type == "Integer" else value}
        for item in _items(words[count:], others):
            yield taken | item


def resolve(template: str, item: dict, document: dict | None = None) -> str:
    """Fill ``{argument}`` and then ``${section.field}`` in a path or the name of a section.

    Args:
        template: e.g. ``models/lft/seed-{seed}`` or ``${event_corpora.tuev.root}``.
        item: values of the arguments.
        document: the parsed ``params.yaml``; read when not given.

    Raises:
        InputError: ``params.yaml`` has no such section or field.
    """
    template = re.sub(r"(?<!\$)\{(\w+)\}", lambda match: str(item[match[1]]), template)
    return re.sub(r"\$\{([\w.]+)\}", lambda match: str(section(document or load(), match[1])), template)
