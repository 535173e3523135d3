"""YAML of a user's as plain data: one reader, which bounds what a text can ask for."""

from functools import lru_cache

import yaml

from eegdiffusion.core.runtime.errors import InputError

MOST_BYTES = 1 << 20
"""Of a file of settings."""

MOST_VALUES = 100_000
"""Values, keys too, that a document has once its anchors are written out."""


def parse_yaml(text: str, where: object) -> object:
    """Return what a text of YAML holds.

    Args:
        text: one document.
        where: the file, or what else the text is, which begins the message.

    Raises:
        InputError: it is not valid YAML, longer than 1 MiB, nested too deeply, or has more than 100,000 values once
            its anchors are written out.
    """
    if len(text) > MOST_BYTES:
        raise InputError(f"{where}: must be at most {MOST_BYTES >> 20} MiB")
    try:
        node = _composed(text)
        if node is None:
            return None
        if _values(node, {}) > MOST_VALUES:
            raise InputError(f"{where}: must have at most {MOST_VALUES:,} values once its anchors are written out")
        return yaml.SafeLoader("").construct_document(node)
    except yaml.YAMLError as error:
        raise InputError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise InputError(f"{where}: not valid YAML: is nested too deeply") from error


@lru_cache(maxsize=8)
def _composed(text: str) -> yaml.Node | None:
    """Parse a text, which takes nine tenths of the time, once: a command reads ``params.yaml`` several times."""
    return yaml.compose(text, yaml.SafeLoader)


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the values of a node with those of its anchors; a node within itself has no end."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        known[id(node)] = MOST_VALUES + 1  # until it is counted
        parts = [part for entry in node.value for part in (entry if isinstance(entry, tuple) else (entry,))]
        known[id(node)] = 1 + sum(_values(part, known) for part in parts)
    return known[id(node)]
