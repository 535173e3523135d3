"""Typed settings, read from ``params.yaml`` once, at the edge of a stage."""

from pathlib import Path
from typing import dataclass_transform

import pydantic
import yaml
from pydantic.dataclasses import dataclass

from eegdiffusion.core.runtime.errors import InputError

PARAMS = Path("params.yaml")


@dataclass_transform(kw_only_default=True, frozen_default=True)
def settings[T](cls: type[T]) -> type[T]:
    """Make a class a frozen, keyword-only, validated dataclass that refuses unknown fields."""
    return dataclass(frozen=True, kw_only=True, config=pydantic.ConfigDict(extra="forbid"))(cls)


def load(path: Path | str = PARAMS) -> dict:
    """Read a YAML mapping of settings sections."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; run from the root of the repository")
    try:
        document = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise InputError(f"{path}: must be a mapping of sections")
    return document


def section(document: dict, name: str, path: Path | str = PARAMS):
    """Return the value at a dotted name, e.g. ``latents.base``."""
    value = document
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise InputError(f"{path}: {name}: there is no such section")
        value = value[part]
    return value


def read[T](name: str, cls: type[T], path: Path | str = PARAMS) -> T:
    """Read and validate one section.

    Args:
        name: dotted name of the section.
        cls: a class made with :func:`settings`.
        path: the file.

    Raises:
        InputError: a field is missing, unknown or breaks its rule; the message names file, field and rule.
    """
    return validate(section(load(path), name, path), cls, f"{path}: {name}")


def validate[T](values, cls: type[T], where: str) -> T:
    """Validate plain values against a settings class; ``where`` begins each line of the error."""
    try:
        return pydantic.TypeAdapter(cls).validate_python(values)
    except pydantic.ValidationError as error:
        lines = [
            f"{'.'.join([where, *map(str, problem['loc'])])}: {problem['msg']} (found {problem['input']!r})"
            for problem in error.errors()
        ]
        raise InputError("\n".join(lines)) from error
