"""Names of entries of ``params.yaml``: they become names of stages, tasks, folders and models."""

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import StringConstraints

from eegdiffusion.core.runtime.errors import InputError

PATTERN = "[A-Za-z0-9_][A-Za-z0-9_-]{0,99}"

RULE = "must be of letters of ASCII, digits, _ and -, at most 100, and not begin with -"

Name = Annotated[str, StringConstraints(pattern=f"^{PATTERN}$")]
"""Type of a field of settings that names an entry, or becomes a part of a path."""


def is_name(text: object) -> bool:
    """Tell whether something is a text that an entry may be called."""
    return isinstance(text, str) and re.fullmatch(PATTERN, text) is not None


def require_name(text: object, where: str) -> str:
    """Return a name as it is.

    Args:
        text: what may be a name.
        where: file and field, or option, which begin the message.

    Raises:
        InputError: it is none.
    """
    if not isinstance(text, str) or not is_name(text):
        raise InputError(f"{where}: {RULE} (found {text!r})")
    return text


def require_names(document: dict, path: object) -> None:
    """Check what the graph of stages is made from: sections, their fields and entries, and the items of ``matrix``.

    Args:
        document: a parsed ``params.yaml``.
        path: the file, for the message.

    Raises:
        InputError: one is no name; items of ``matrix`` may be whole numbers too.
    """
    for name, values in document.items():
        require_name(name, f"{path}: a section")
        for entry in values if isinstance(values, dict) else ():
            require_name(entry, f"{path}: {name}: an entry")
    axes = document.get("matrix")
    for axis, items in axes.items() if isinstance(axes, dict) else ():
        for item in _leaves(items):
            if type(item) is not int or item < 0:
                require_name(item, f"{path}: matrix.{axis}: an item")


def _leaves(items: object) -> Iterator[object]:
    """Yield what a list holds; anything else by itself, which is no name where it is a mapping or a list in a list."""
    if isinstance(items, list):
        yield from items
    else:
        yield items
