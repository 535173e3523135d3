"""``params.yaml`` as a document: what changes is written, and all other text stays as it is, byte by byte."""

import copy
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import yaml

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.files import written_whole
from eegdiffusion.core.runtime.names import require_names
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.settings import PARAMS, load
from eegdiffusion.operations.configuration.sections import check

type Path = tuple[str, ...]
"""Keys that lead to a value."""

MOST_SHOWN = 80
"""Characters of a value that a message shows."""


def in_one_line(value: object) -> str:
    """Return a value as YAML in one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1_000_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def changes(before: object, after: object, path: Path = ()) -> Iterator[tuple[Path, object, bool]]:
    """Yield what leads from one document to another: keys, the new value, and whether the key is taken out."""
    if not (isinstance(before, dict) and isinstance(after, dict)) or (path and not after):
        if before != after or type(before) is not type(after):
            yield path, after, False
        return
    for name in before.keys() - after.keys():
        yield (*path, name), None, True
    for name, value in after.items():
        if name in before:
            yield from changes(before[name], value, (*path, name))
        else:
            yield (*path, name), value, False


def _content_end(node: yaml.Node) -> int:
    """Return the position after the last character of a node; that of a block ends before the comments behind it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        last = node.value[-1]
        return _content_end(last[1] if isinstance(node, yaml.MappingNode) else last)
    return node.end_mark.index


def _line_end(text: str, position: int) -> int:
    """Return the position after the line that a position is in."""
    end = text.find("\n", position)
    return len(text) if end < 0 else end + 1


def _line_break(text: str) -> str:
    """Return what ends the lines of a text."""
    return "\r\n" if "\r\n" in text else "\n"


def _entry(mapping: yaml.MappingNode, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    return next(((key, value) for key, value in mapping.value if key.value == str(name)), None)


def _replaced(text: str, key: yaml.Node, value: yaml.Node, new: object) -> str:
    colon = text.index(":", key.end_mark.index) + 1
    begin = value.start_mark.index if value.start_mark.line == key.end_mark.line else colon
    return f"{text[:begin]}{' ' * (begin == colon)}{in_one_line(new)}{text[max(begin, _content_end(value)) :]}"


def _added(text: str, key: yaml.Node | None, mapping: yaml.MappingNode, name: str, value: object) -> str:
    """Add an entry to a mapping; ``key`` is the mapping's own."""
    entry = f"{in_one_line(name)}: {in_one_line(value)}"
    if not mapping.value:
        if key is not None and key.start_mark.column == 0 and isinstance(value, dict):
            # An entry of a section that was empty stands in a line of its own.
            end = _line_end(text, mapping.end_mark.index)
            comment, eol = text[mapping.end_mark.index : end].rstrip("\r\n"), _line_break(text)
            return f"{text[: mapping.start_mark.index].rstrip(' ')}{comment}{eol}  {entry}{eol}{text[end:]}"
        return f"{text[: mapping.start_mark.index]}{{{entry}}}{text[mapping.end_mark.index :]}"
    end = _content_end(mapping.value[-1][1])
    if mapping.flow_style:
        return f"{text[:end]}, {entry}{text[end:]}"
    end, eol = _line_end(text, end), _line_break(text)
    head = text[:end] if text[:end].endswith("\n") else f"{text[:end]}{eol}"
    return f"{head}{' ' * mapping.value[0][0].start_mark.column}{entry}{eol}{text[end:]}"


def _removed(text: str, key: yaml.Node | None, mapping: yaml.MappingNode, name: str) -> str:
    entries = [entry.value for entry, _ in mapping.value]
    position = entries.index(str(name))
    entry, value = mapping.value[position]
    if len(entries) == 1 and key is not None:
        return _replaced(text, key, mapping, {})
    if not mapping.flow_style:
        begin = text.rfind("\n", 0, entry.start_mark.index) + 1
        return text[:begin] + text[_line_end(text, _content_end(value)) :]
    if position:
        begin = _content_end(mapping.value[position - 1][1])
        return text[:begin] + text[_content_end(value) :]
    return text[: entry.start_mark.index] + text[mapping.value[1][0].start_mark.index :]


def changed(text: str, path: Sequence[str], value: object, removed: bool = False) -> str:
    """Return the text of a YAML document with one value set, added or taken out, and all other text as it is.

    Args:
        text: the document, a mapping.
        path: keys that lead to the value. Where mappings on the way are missing, they are added.
        value: the new value, written in one line.
        removed: whether the key is taken out.

    Raises:
        InputError: the document is no mapping.
    """
    key, node = None, yaml.compose(text, yaml.SafeLoader)
    for depth, name in enumerate(path):
        entry = _entry(node, name) if isinstance(node, yaml.MappingNode) else None
        last = depth == len(path) - 1
        if entry is None:
            for missing in reversed(path[depth + 1 :]):
                value = {missing: value}
            if isinstance(node, yaml.MappingNode):
                return _added(text, key, node, name, value)
            if key is None or node is None:
                raise InputError(f"{PARAMS}: must be a mapping of sections")
            return _replaced(text, key, node, {name: value})
        if last:
            if removed and isinstance(node, yaml.MappingNode):
                return _removed(text, key, node, name)
            return _replaced(text, *entry, value)
        key, node = entry
    return text


def _shown(value: object) -> str:
    text = in_one_line(value)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 4]} ..."


def described_change(before: dict, path: Path, value: object, removed: bool) -> str:
    """Say in a line what a change of a document does.

    Args:
        before: the document without the change.
        path: keys that lead to the value.
        value: the new value.
        removed: whether the key is taken out.

    Returns:
        e.g. ``hardware.devices: 4 (was 1)``.
    """
    name, former = ".".join(map(str, path)), before
    for key in path:
        if not isinstance(former, dict) or key not in former:
            return f"{name}: {_shown(value)} (added)"
        former = former[key]
    if value == {} and isinstance(former, dict):
        return f"{name}: takes out {', '.join(map(str, former))}"
    return f"{name}: taken out (was {_shown(former)})" if removed else f"{name}: {_shown(value)} (was {_shown(former)})"


@contextmanager
def edit() -> Iterator[dict]:
    """Yield the parsed file; what the block changes in it is written and printed, unless the block raises.

    Raises:
        InputError: a section that was changed breaks a rule, and nothing is written; or the file cannot be read.
        UnavailableError: the file cannot be written, as where the disk is full; it stays as it was.
    """
    before = load()
    document = copy.deepcopy(before)
    yield document
    require_names(document, PARAMS)  # before a name becomes a part of the text
    text, touched, lines = PARAMS.read_bytes().decode(), [], []
    for path, value, removed in changes(before, document):
        text = changed(text, path, value, removed)
        touched.append(path[0])
        lines.append(described_change(before, path, value, removed))
    if yaml.safe_load(text) != document:
        raise InputError(f"{PARAMS}: {', '.join(sorted(set(touched)))}: is written in a way that cannot be edited; "
                         f"write it in block or flow style, without anchors")  # fmt: skip
    for name in dict.fromkeys(touched):
        check(name, document)
    if touched:
        file = PARAMS.resolve()  # a link stays one
        with written_whole(file) as (part,):
            part.write_bytes(text.encode())
            shutil.copymode(file, part)
    say(*(f"{PARAMS}: {line}" for line in lines or ["has these values already; nothing is changed"]))
