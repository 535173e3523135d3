"""What whoever starts a run may set for it: numbers, choices and names, and neither paths, addresses nor other text."""

import dataclasses
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAliasType, Union, get_args, get_origin, get_type_hints

from pydantic import StringConstraints

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.names import PATTERN, is_name
from eegdiffusion.operations.configuration.sections import field_type

NEVER = ("download",)
"""Fields that no run sets, though they are choices: they let a stage reach for the network."""


def require_overridable(overrides: object) -> None:
    """Check that a run may set these fields.

    It may set a field whose type admits numbers, truth values, choices, and names of entries alone, or lists and blocks
    of such; of a field that no settings class describes, the value must be of these.

    Args:
        overrides: values of ``params.yaml`` by dotted name, as they came from outside.

    Raises:
        InputError: it is no mapping, or holds a field that no run may set; the message names it and the rule.
    """
    if not isinstance(overrides, dict):
        raise InputError(f"overrides: must be a mapping of fields by dotted name (found {overrides!r})")
    for name, value in overrides.items():
        parts = name.split(".")
        if not all(map(is_name, parts)):
            raise InputError(f"overrides: {name!r}: is no dotted name of a field")
        if not _is_plain(value) or not _is_open(field_type(name)) or set(NEVER) & {*parts, *_keys(value)}:
            raise InputError(
                f"overrides: {name}: a run may set numbers, choices and names alone; a path, an address or any other "
                f"text is set in the repository's params.yaml (found {value!r})"
            )


def _is_open(kind: Any) -> bool:
    """Tell whether a type admits numbers, truth values, choices and names alone; any value is looked at by itself."""
    if isinstance(kind, TypeAliasType):
        return _is_open(kind.__value__)
    if kind in (int, float, bool, NoneType, Any, dict):
        return True
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        base, *rules = arguments
        named = any(isinstance(rule, StringConstraints) and rule.pattern == f"^{PATTERN}$" for rule in rules)
        return (base is str and named) or _is_open(base)
    if origin is Literal:
        return True
    if origin in (Union, UnionType, list, tuple, set):
        return all(_is_open(argument) for argument in arguments if argument is not Ellipsis)
    if origin is dict:  # its keys are names, as those of its values' fields are
        return _is_open(arguments[1])
    if dataclasses.is_dataclass(kind):
        return all(_is_open(part) for part in get_type_hints(kind, include_extras=True).values())
    return False


def _is_plain(value: object) -> bool:
    """Tell whether a value is a number, a truth value, null, a name, or a list or a mapping by names of such."""
    if isinstance(value, dict):
        return all(is_name(key) and _is_plain(entry) for key, entry in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, int | float) or is_name(value)


def _keys(value: object) -> set[str]:
    """Return the keys at any depth of a value."""
    if isinstance(value, dict):
        return {key for name, entry in value.items() for key in (name, *_keys(entry))}
    return {key for entry in value for key in _keys(entry)} if isinstance(value, list) else set()
