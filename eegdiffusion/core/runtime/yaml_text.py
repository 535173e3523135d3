"""YAML of a user's as plain data: one reader, which bounds what a text can ask for."""

from collections.abc import Iterator
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
        InputError: it is not valid YAML, longer than 1 MiB, nested too deeply, has a key of a mapping twice, or more
            than 100,000 values once its anchors are written out.
    """
    if len(text) > MOST_BYTES:
        raise InputError(f"{where}: must be at most {MOST_BYTES >> 20} MiB")
    try:
        node, repeated = _composed(text)
        if node is None:
            return None
        if _values(node, {}) > MOST_VALUES:
            raise InputError(f"{where}: must have at most {MOST_VALUES:,} values once its anchors are written out")
        if repeated:
            raise InputError(*(f"{where}: {line}" for line in repeated))
        return yaml.SafeLoader("").construct_document(node)
    except yaml.YAMLError as error:
        raise InputError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise InputError(f"{where}: not valid YAML: is nested too deeply") from error


@lru_cache(maxsize=8)
def _composed(text: str) -> tuple[yaml.Node | None, tuple[str, ...]]:
    """Parse a text, which takes nine tenths of the time, once: a command reads ``params.yaml`` several times.

    Returns:
        its node, and a line for each key that is repeated; what makes data of the node writes merged keys into it.
    """
    node = yaml.compose(text, yaml.SafeLoader)
    return node, tuple(_repeated_keys(node, set()))


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the values of a node with those of its anchors; a node within itself has no end."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        known[id(node)] = MOST_VALUES + 1  # until it is counted
        parts = [part for entry in node.value for part in (entry if isinstance(entry, tuple) else (entry,))]
        known[id(node)] = 1 + sum(_values(part, known) for part in parts)
    return known[id(node)]


def _repeated_keys(node: yaml.Node | None, seen: set[int], name: str = "") -> Iterator[str]:
    """Yield a line for each key that stands in its mapping twice: the reader would take the last, and DVC none."""
    if not isinstance(node, yaml.CollectionNode) or id(node) in seen:
        return
    seen.add(id(node))
    lines: dict[str, int] = {}
    for k, entry in enumerate(node.value):
        key, value = entry if isinstance(entry, tuple) else (None, entry)
        word = str(k) if key is None or not isinstance(key, yaml.ScalarNode) else key.value
        full = f"{name}.{word}" if name else word
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            if word in lines:
                yield f"{full}: is there twice, in lines {lines[word]} and {key.start_mark.line + 1}"
            lines[word] = key.start_mark.line + 1
        yield from _repeated_keys(value, seen, full)
