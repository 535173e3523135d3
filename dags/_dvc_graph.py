"""Reads ``dvc.yaml`` and ``params.yaml`` into dataclasses, with YAML and the standard library alone.

What a task takes is ``meta.airflow`` of its stage, and in its place what ``hardware`` of ``params.yaml`` says.

It supports what the project's ``dvc.yaml`` uses and refuses the rest by name, so that the DAG cannot silently differ
from DVC's graph. Names and edges are DVC's own.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from itertools import product
from pathlib import Path, PurePosixPath

import yaml
from _library import stage_hardware

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where libyaml is there
_TOP = {"stages", "metrics", "plots"}
_STAGE = {"cmd", "deps", "outs", "params", "desc", "meta", "matrix", "frozen"}
_OUT = {"cache", "persist", "push", "remote", "desc", "type", "labels", "meta"}
_EXPRESSION = re.compile(r"(?<!\\)\$\{\s*(.*?)\s*\}")
_NAME = re.compile(r"[\w.-]+(\[\d+\])?")

KEY = re.compile("[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")
"""What an entry of ``params.yaml`` may be called that becomes an item: also a word of commands, and a task's id."""

MOST_VALUES = 100_000
"""Values, keys too, that a file has once its anchors are written out."""


class GraphError(ValueError):
    """``dvc.yaml`` or ``params.yaml`` holds something that is wrong or not supported; the message names it."""


@dataclass(frozen=True)
class Resources:
    """What a task of the stage needs: ``meta.airflow``, and in its place what ``hardware`` says."""

    gpus: int
    cpus: int
    memory_gb: int
    shm_gb: int
    retries: int
    timeout_min: int


@dataclass(frozen=True)
class Stage:
    """A stage as DVC expands it: one item of a matrix or foreach is a stage of its own."""

    name: str
    command: tuple[str, ...]
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    params: tuple[str, ...]
    desc: str
    resources: Resources
    frozen: bool = False
    group: str | None = None
    item: dict = field(default_factory=dict, hash=False)

    @property
    def base(self) -> str:
        """The name as it stands in ``dvc.yaml``, which the component's folder bears too."""
        return self.group or self.name

    @property
    def key(self) -> str | None:
        """What follows the ``@`` of an item's name."""
        return self.name.removeprefix(f"{self.group}@") if self.group else None


@dataclass(frozen=True)
class Graph:
    """Stages by name, and edges (upstream, downstream) between them."""

    stages: dict[str, Stage]
    edges: frozenset[tuple[str, str]]


def read_graph(root: Path | str) -> Graph:
    """Read the graph of a repository.

    Args:
        root: folder with ``dvc.yaml`` and ``params.yaml``.

    Returns:
        The stages, expanded and in the order of ``dvc.yaml``, and their edges.

    Raises:
        GraphError: a feature that is not supported, a name that does not resolve, or bad ``meta.airflow``.
    """
    root = Path(root)
    document = _load(root / "dvc.yaml")
    params = _load(root / "params.yaml") if (root / "params.yaml").is_file() else {}
    if unknown := document.keys() - _TOP:
        raise GraphError(f"dvc.yaml: {', '.join(sorted(unknown))}: not supported")
    stages = {}
    for name, definition in (document.get("stages") or {}).items():
        stages.update((stage.name, stage) for stage in _expand(name, definition, params))
    return Graph(stages, frozenset(_edges(list(stages.values()))))


def _load(path: Path) -> dict:
    loader = _LOADER(path.read_text())
    try:
        node = loader.get_single_node()
        if node is not None and _values(node, {}) > MOST_VALUES:
            raise GraphError(f"{path}: must have at most {MOST_VALUES:,} values once its anchors are written out")
        document = {} if node is None else loader.construct_document(node)
    except (yaml.YAMLError, RecursionError) as error:
        raise GraphError(f"{path}: not valid YAML: {error}") from error
    finally:
        loader.dispose()
    if not isinstance(document, dict):
        raise GraphError(f"{path}: must be a mapping")
    return document


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the values of a node with those of its anchors; a node within itself has no end."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        known[id(node)] = MOST_VALUES + 1  # until it is counted
        parts = [part for entry in node.value for part in (entry if isinstance(entry, tuple) else (entry,))]
        known[id(node)] = 1 + sum(_values(part, known) for part in parts)
    return known[id(node)]


def _expand(name: str, definition: dict, params: dict) -> Iterator[Stage]:
    where = f"dvc.yaml: {name}"
    if "foreach" in definition or "do" in definition:
        _refuse(definition.keys() - {"foreach", "do"}, where)
        template = definition["do"]
        _refuse(template.keys() - (_STAGE - {"matrix"}), f"{where}: do")
        data = _fill(definition["foreach"], params, f"{where}: foreach")
        for key, value in _items(data):
            _require_key(key, f"{where}: foreach")
            scope = {"item": value} | ({"key": key} if isinstance(data, dict) else {})
            yield _stage(f"{name}@{key}", template, params | scope, name, value if isinstance(value, dict) else scope)
        return
    _refuse(definition.keys() - _STAGE, where)
    if "matrix" not in definition:
        yield _stage(name, definition, params)
        return
    axes = _fill(definition["matrix"], params, f"{where}: matrix")
    for combination in product(*(enumerate(values) for values in axes.values())):
        item = {axis: value for axis, (_, value) in zip(axes, combination, strict=True)}
        for axis, value in item.items():
            _require_key(value, f"{where}: matrix: {axis}")
        key = "-".join(
            f"{axis}{index}" if isinstance(value, dict | list) else _text(value)
            for axis, (index, value) in zip(axes, combination, strict=True)
        )
        # Within a matrix both `item` and `key` are there, as in DVC.
        yield _stage(f"{name}@{key}", definition, params | {"item": item, "key": key}, name, item)


def _items(data: dict | list) -> Iterator[tuple[str, object]]:
    if isinstance(data, dict):
        return ((_text(key), value) for key, value in data.items())
    if any(isinstance(value, dict | list) for value in data):
        return ((str(index), value) for index, value in enumerate(data))
    return ((_text(value), value) for value in data)


def _require_key(key: object, where: str) -> None:
    """Refuse a text that an item may not be called: names of tasks are templates of Airflow's, too."""
    if isinstance(key, str) and not KEY.fullmatch(key):
        raise GraphError(f"{where}: an item must be of letters of ASCII, digits, _ and - (found {key!r})")


def _stage(name: str, definition: dict, scope: dict, group: str | None = None, item: dict | None = None) -> Stage:
    where = f"dvc.yaml: {name}"
    # DVC fills neither `desc` nor `meta` from a template that we would need.
    filled = {key: _fill(definition.get(key), scope, f"{where}: {key}") for key in ("cmd", "deps", "outs", "params")}
    if not filled["cmd"]:
        raise GraphError(f"{where}: cmd: is missing")
    declared = tuple(_param(param, where) for param in filled["params"] or ())
    resources = _resources((definition.get("meta") or {}).get("airflow"), where)
    return Stage(
        name=name,
        command=tuple([filled["cmd"]] if isinstance(filled["cmd"], str) else filled["cmd"]),
        deps=tuple(filled["deps"] or ()),
        outs=tuple(_out(out, where) for out in filled["outs"] or ()),
        params=declared,
        desc=definition.get("desc", ""),
        resources=_on_hardware(resources, scope.get(stage_hardware.SECTION) or {}, group or name, declared),
        frozen=definition.get("frozen", False),
        group=group,
        item=item or {},
    )


def _out(out: str | dict, where: str) -> str:
    if isinstance(out, str):
        return out
    ((path, options),) = out.items()
    _refuse((options or {}).keys() - _OUT, f"{where}: outs: {path}")
    return path


def _param(param: str | dict, where: str) -> str:
    if not isinstance(param, str):
        raise GraphError(f"{where}: params: a file other than params.yaml: not supported")
    return param


def _resources(values: object, where: str) -> Resources:
    where = f"{where}: meta.airflow"
    names = [entry.name for entry in fields(Resources)]
    if not isinstance(values, dict):
        raise GraphError(f"{where}: is missing; it must have {', '.join(names)}")
    if missing := [name for name in names if name not in values]:
        raise GraphError(f"{where}: {', '.join(missing)}: is missing")
    if unknown := sorted(values.keys() - set(names)):
        raise GraphError(f"{where}: {', '.join(unknown)}: unknown key")
    for name, value in values.items():
        least = 0 if name in ("gpus", "retries") else 1
        if type(value) is not int or value < least:
            raise GraphError(f"{where}: {name}: must be an integer of at least {least} (found {value!r})")
    return Resources(**values)


def _on_hardware(resources: Resources, section: dict, name: str, params: tuple[str, ...]) -> Resources:
    """Return what a task of a stage takes by its ``meta.airflow`` and by ``hardware`` of ``params.yaml``."""
    try:
        hardware = stage_hardware.hardware_of(section, name)
        given = {key: hardware[key] for key in stage_hardware.RESERVED if hardware.get(key) is not None}
        for key, value in ({"devices": hardware.get("devices", 1)} | given).items():
            if type(value) is not int or value < 1:
                raise ValueError(f"hardware.{key}: must be an integer of at least 1 (found {value!r})")
        return replace(resources, gpus=stage_hardware.gpus_of(hardware, params, resources.gpus), **given)
    except ValueError as error:
        raise GraphError(f"params.yaml: {error}") from error


def _refuse(unknown: set[str], where: str) -> None:
    if unknown:
        raise GraphError(f"{where}: {', '.join(sorted(unknown))}: not supported")


def _fill(value: object, scope: dict, where: str) -> object:
    """Replace ``${a.b}`` throughout a value; a string that is one expression becomes the value itself."""
    if isinstance(value, dict):
        return {_fill(key, scope, where): _fill(entry, scope, where) for key, entry in value.items()}
    if isinstance(value, list):
        return [_fill(entry, scope, where) for entry in value]
    if not isinstance(value, str):
        return value
    if expression := _EXPRESSION.fullmatch(value):
        return _lookup(expression[1], scope, where)
    return _EXPRESSION.sub(lambda match: _text(_lookup(match[1], scope, where), where), value)


def _lookup(expression: str, scope: dict, where: str) -> object:
    value: object = scope
    for part in expression.split("."):
        if not _NAME.fullmatch(part):
            raise GraphError(f"{where}: ${{{expression}}}: not supported")
        name, bracket, index = part.partition("[")
        try:
            value = value[int(name) if isinstance(value, list) else name]
            value = value[int(index[:-1])] if bracket else value
        except (KeyError, IndexError, TypeError, ValueError):
            raise GraphError(f"{where}: ${{{expression}}}: is not in params.yaml, where it must be given") from None
    return value


def _text(value: object, where: str = "dvc.yaml") -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        raise GraphError(f"{where}: a mapping or list within a text: not supported")
    return str(value)


def _parts(path: str) -> tuple[str, ...]:
    parts: list[str] = []
    for part in PurePosixPath(path).parts:
        if part == ".." and parts and parts[-1] not in ("..", "/"):
            parts.pop()
        else:
            parts.append(part)
    return tuple(parts)


def _edges(stages: list[Stage]) -> Iterator[tuple[str, str]]:
    """Yield (upstream, downstream): a dependency lies within an output, or an output within the dependency."""
    outs = {_parts(out): stage.name for stage in stages for out in stage.outs}
    prefixes: dict[tuple[str, ...], set[str]] = {}
    for path, owner in outs.items():
        for length in range(1, len(path) + 1):
            prefixes.setdefault(path[:length], set()).add(owner)
    for stage in stages:
        for dep in map(_parts, stage.deps):
            upstream = prefixes.get(dep, set()) | {outs[dep[:n]] for n in range(1, len(dep)) if dep[:n] in outs}
            yield from ((name, stage.name) for name in upstream if name != stage.name)
