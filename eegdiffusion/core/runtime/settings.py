"""Typed settings, read from ``params.yaml`` once, at the edge of a stage."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast, dataclass_transform, get_args

import pydantic
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails

from eegdiffusion.core.runtime.errors import InputError, nearest
from eegdiffusion.core.runtime.names import require_names
from eegdiffusion.core.runtime.yaml_text import parse_yaml

PARAMS = Path("params.yaml")

FLOAT_1_2 = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")
"""Numbers of YAML 1.2 that the reader of YAML 1.1 takes for text, e.g. ``1e-3``."""


@dataclass_transform(kw_only_default=True, frozen_default=True)
def settings[T](cls: type[T]) -> type[T]:
    """Make a class a frozen, keyword-only, validated dataclass that refuses unknown fields and infinite numbers."""
    config = pydantic.ConfigDict(extra="forbid", allow_inf_nan=False)
    return cast("type[T]", dataclass(frozen=True, kw_only=True, config=config)(cls))


def load(path: Path | str = PARAMS) -> dict:
    """Read a YAML mapping of settings sections.

    Raises:
        InputError: the file does not exist, is not valid YAML or is no mapping, asks for too much by its anchors, or
            has an entry whose name is none; see :func:`.names.require_names`.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file in {Path.cwd()}; run from the root of the repository, beside dvc.yaml")
    try:
        document = parse_yaml(path.read_text(encoding="utf-8"), path)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: must be text in UTF-8") from error
    if not isinstance(document, dict):
        raise InputError(f"{path}: must be a mapping of sections")
    require_names(document, path)
    return document


def section(document: dict, name: str, path: Path | str = PARAMS):
    """Return the value at a dotted name.

    Args:
        document: the parsed file.
        name: e.g. ``latents.base``.
        path: the file, for the message.

    Raises:
        InputError: there is none; the message names the most similar name that there is.
    """
    value = document
    parts = name.split(".")
    for depth, part in enumerate(parts):
        if not isinstance(value, dict) or part not in value:
            names = [".".join([*parts[:depth], str(key)]) for key in value] if isinstance(value, dict) else []
            suggestion = nearest(".".join(parts[: depth + 1]), names)
            raise InputError(f"{path}: {name}: there is no such section{suggestion}")
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
    """Validate plain values against a settings class.

    Args:
        values: what the file holds.
        cls: a class made with :func:`settings`, or any type that Pydantic knows.
        where: file and section, which begin each line of the error.

    Raises:
        InputError: a field is missing, unknown (the most similar one is named), of another type, or breaks its rule.
    """
    adapter = pydantic.TypeAdapter(cls)
    try:
        validated = adapter.validate_python(values)
    except pydantic.ValidationError as error:
        raise InputError(*(_message(problem, cls, where) for problem in error.errors())) from error
    if converted := list(_conversions(values, adapter.dump_python(validated), where)):
        raise InputError(*converted)
    return validated


def _conversions(given: object, taken: object, where: str) -> Iterator[str]:
    """Yield a line for each value that Pydantic took as one of another type: ``"2"`` or ``true`` for a number.

    Numbers in text as YAML 1.1 leaves them (``1e-3``) are numbers, as DVC takes them too.
    """
    if isinstance(given, dict) and isinstance(taken, dict):
        for name in given.keys() & taken.keys():
            yield from _conversions(given[name], taken[name], f"{where}.{name}")
    elif isinstance(given, list | tuple) and isinstance(taken, list | tuple):
        for k, pair in enumerate(zip(given, taken, strict=False)):
            yield from _conversions(*pair, f"{where}.{k}")
    elif isinstance(given, bool) != isinstance(taken, bool):
        yield f"{where}: must be {'true or false' if isinstance(taken, bool) else 'a number'} (found {given!r})"
    elif isinstance(given, str) and isinstance(taken, int | float) and not FLOAT_1_2.fullmatch(given):
        yield f"{where}: must be a number (found the text {given!r})"


def _message(problem: ErrorDetails, cls: type, where: str) -> str:
    """Return the line that tells of one of Pydantic's errors."""
    *parents, field = problem["loc"] or ("",)
    suggestion = ""
    if problem["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        suggestion = nearest(str(field), _fields_at(cls, parents))
    name = ".".join([where, *map(str, problem["loc"])])
    return f"{name}: {problem['msg']} (found {problem['input']!r}){suggestion}"


def _fields_at(cls: type, location: Sequence[str | int]) -> list[str]:
    """Return the names of the fields that a settings class has at a location within it."""
    classes = _settings_classes(cls)
    for part in location:
        fields = [kind.__pydantic_fields__[part] for kind in classes if part in kind.__pydantic_fields__]
        # Anything else is a key of a mapping, an index of a list, or names one of several alternatives.
        classes = [kind for field in fields for kind in _settings_classes(field.annotation)] or classes
    return [name for kind in classes for name in kind.__pydantic_fields__]


def _settings_classes(annotation: Any) -> list[Any]:
    """Return the settings classes that an annotation is made of, e.g. of ``dict[str, Latents] | None``."""
    if hasattr(annotation, "__pydantic_fields__"):
        return [annotation]
    return [kind for argument in get_args(annotation) for kind in _settings_classes(argument)]
