"""The sections of ``params.yaml``, and the classes that their values are of, as the stages ask for them.

The calls ``run.settings(Class, "section")`` in the stages' ``__main__.py`` are the one place that says which class a
section is of: they are read as text, and only the module of a class that is wanted is imported.
"""

import ast
import builtins
import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeAliasType, Union, get_args, get_origin, get_type_hints

import pydantic

from eegdiffusion.core.runtime import contract
from eegdiffusion.core.runtime.errors import InputError, nearest
from eegdiffusion.core.runtime.settings import PARAMS, load, section, validate
from eegdiffusion.core.runtime.stage_hardware import SECTION
from eegdiffusion.operations.configuration.hardware import HardwareSection, require_stages
from eegdiffusion.operations.configuration.matrix import Matrix

READ_IN_PARTS: dict[str, type] = {"matrix": Matrix, SECTION: HardwareSection}
"""Sections of which a stage reads a part, with their classes."""


class _Imports(Mapping):
    """Names that a module imports; each is imported when it is looked up."""

    def __init__(self, tree: ast.Module):
        self._sources = {
            alias.asname or alias.name: (node.module, alias.name)
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }

    def __getitem__(self, name: str) -> object:
        module, attribute = self._sources[name]
        return getattr(import_module(module), attribute)

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)


@lru_cache(maxsize=256)
def _parsed(path: Path, changed_ns: int) -> ast.Module:
    """Parse a file, once as long as it does not change."""
    return ast.parse(path.read_text())


def _tree(stage: str) -> ast.Module:
    path = (contract.stages_folder() / stage / "__main__.py").resolve()
    return _parsed(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _calls(tree: ast.Module) -> list[list[ast.expr]]:
    """Return the arguments of each call of ``run.settings``."""
    return [
        node.args
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "run.settings" and node.args
    ]


def read_by(stage: str) -> dict[str, ast.expr]:
    """Return the sections that a stage reads, each with the expression of the type that it reads them as.

    Args:
        stage: its name.

    Returns:
        Dotted names; ``latents.*`` stands for an entry whose name the stage computes.
    """
    sections = {}
    for kind, *named in _calls(_tree(stage)):
        name = stage
        match named:
            case [ast.Constant(value=str() as text)]:
                name = text
            case [ast.JoinedStr(values=[ast.Constant(value=str() as text), *_])]:
                name = f"{text}*"
        sections[name] = kind
    return sections


def _declarations() -> dict[str, tuple[str, str, ast.expr]]:
    """Return each section with the stage that says its class, the name that it is read by, and the class."""
    readers_of: dict[str, list[tuple[bool, str, str, ast.expr]]] = {}
    for stage in contract.stage_names():
        for name, expression in read_by(stage).items():
            head, _, tail = name.partition(".")
            if tail in ("", "*"):
                readers_of.setdefault(head, []).append((stage != head, stage, name, expression))
    # The stage that a section is named after says its class, before others that read a base of it.
    return {head: min(readers, key=lambda reader: reader[:3])[1:] for head, readers in readers_of.items()}


def section_names() -> list[str]:
    """Return the names of the sections of ``params.yaml``, sorted."""
    declared = _declarations()
    return sorted({*declared, *READ_IN_PARTS} if declared else [])


def section_type(name: str) -> Any:
    """Return the type of a section's value: a settings class, or ``dict[str, Class]`` of entries that the user names.

    Args:
        name: of the section, e.g. ``finetune_lft``.

    Raises:
        InputError: no stage reads such a section.
    """
    if name in READ_IN_PARTS:
        return READ_IN_PARTS[name]
    declarations = _declarations()
    if name not in declarations:
        raise InputError(f"{PARAMS}: {name}: there is no such section{nearest(name, section_names())}")
    stage, read_as, expression = declarations[name]
    code = compile(ast.Expression(expression), str(contract.stages_folder() / stage / "__main__.py"), "eval")
    kind = eval(code, {"__builtins__": builtins}, _Imports(_tree(stage)))
    return dict.__class_getitem__((str, kind)) if read_as.endswith("*") else kind


def section_types() -> dict[str, Any]:
    """Return the type of each section of ``params.yaml``, by its name."""
    return {name: section_type(name) for name in section_names()}


def resolved(name: str) -> Any:
    """Return a section with the values of all fields, those that stand at their default too, as plain data.

    Raises:
        InputError: the section is missing or breaks a rule.
    """
    kind = section_type(name)
    values = validate(section(load(), name), kind, f"{PARAMS}: {name}")
    return pydantic.TypeAdapter(kind).dump_python(values, mode="json")


def check(name: str, document: dict) -> None:
    """Check a section against its class; one that no stage reads is taken as it is.

    Args:
        name: of the section.
        document: the parsed ``params.yaml``.

    Raises:
        InputError: a field is missing, unknown or breaks its rule; the message names file, field and rule.
    """
    if name in section_names():
        values = validate(section(document, name), section_type(name), f"{PARAMS}: {name}")
        if isinstance(values, HardwareSection):
            require_stages(values)


def _parts_of(kind: Any) -> list[Any]:
    """Return the alternatives of a type, those of an annotation too."""
    if isinstance(kind, TypeAliasType):
        return _parts_of(kind.__value__)
    if get_origin(kind) is Annotated:
        return _parts_of(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [part for argument in get_args(kind) for part in _parts_of(argument)]
    return [kind]


def _field_types(kind: Any) -> dict[str, Any]:
    """Return the types of a settings class's fields, by name; none for any other type."""
    parts = [part for part in _parts_of(kind) if dataclasses.is_dataclass(part)]
    return {name: annotation for part in parts for name, annotation in get_type_hints(part, include_extras=True).items()
            if name in part.__dataclass_fields__}  # fmt: skip


def leaf_names(kind: Any, prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of the fields of a settings class that are no blocks, and of those in its blocks."""
    for name, annotation in _field_types(kind).items():
        if _field_types(annotation):
            yield from leaf_names(annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def field_names(kind: Any, prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of all fields of a settings class, those of its blocks too."""
    for name, annotation in _field_types(kind).items():
        yield f"{prefix}{name}"
        yield from field_names(annotation, f"{prefix}{name}.")


def entry_type(kind: Any) -> Any | None:
    """Return the type of a mapping's values; None where the type takes no mapping."""
    for part in _parts_of(kind):
        if get_origin(part) is dict:
            return get_args(part)[1]
        if part in (dict, Any):
            return Any
    return None


def takes(name: str, document: dict) -> bool:
    """Tell whether a dotted name is a section, an entry or a field that ``params.yaml`` may hold.

    Entries of sections whose names are the user's may be new, if they are set as a whole.

    Args:
        name: e.g. ``finetune_lft.optimisation.betas``.
        document: the parsed ``params.yaml``.
    """
    head, *parts = name.split(".")
    if head not in section_names():
        return _stands_in(document, name)
    kind, value = section_type(head), document.get(head)
    for depth, part in enumerate(parts):
        fields = _field_types(kind)
        if part in fields:
            kind = fields[part]
        elif (entry := entry_type(kind)) is not None:
            is_new = not isinstance(value, dict) or part not in value
            if is_new and _field_types(entry) and depth < len(parts) - 1:
                return False
            kind = entry
        else:
            return False
        value = value.get(part) if isinstance(value, dict) else None
    return True


def has_fields(name: str) -> bool:
    """Tell whether a dotted name is a section or a block whose fields a settings class says."""
    return bool(_field_types(field_type(name)))


def field_type(name: str) -> Any:
    """Return the type of the values at a dotted name; of what no settings class says, any."""
    head, *parts = name.split(".")
    kind = section_type(head) if head in section_names() else Any
    for part in parts:
        kind = _field_types(kind).get(part, entry_type(kind) or Any)
    return kind


def _stands_in(document: dict, name: str) -> bool:
    value: object = document
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
    return True


def known_names(section_name: str, document: dict) -> list[str]:
    """Return the dotted names of a section's fields: of its class, of each entry that there is, and of the file.

    Args:
        section_name: a section that a stage reads.
        document: the parsed ``params.yaml``.
    """
    kind = section_type(section_name)
    values = document.get(section_name) or {}
    names = dict.fromkeys([section_name, *field_names(kind, f"{section_name}.")])
    if entry := entry_type(kind):
        for name in values:
            names |= dict.fromkeys([f"{section_name}.{name}", *field_names(entry, f"{section_name}.{name}.")])
    return [*names, *_names_in(values, f"{section_name}.")]


def _names_in(values: object, prefix: str) -> Iterator[str]:
    for name, value in values.items() if isinstance(values, dict) else ():
        yield f"{prefix}{name}"
        yield from _names_in(value, f"{prefix}{name}.")


def unknown_name(name: str, document: dict) -> InputError:
    """Return the error of a dotted name that ``params.yaml`` may not hold; it names the known one most like it."""
    head, _, tail = name.partition(".")
    if head in section_names():
        similar = nearest(name, known_names(head, document))
    elif head in document:
        similar = nearest(name, _names_in(document[head], f"{head}."))
    else:
        # Of the sections that are called alike: to look into all would import every stage's settings.
        heads = dict.fromkeys([*section_names(), *document])
        alike = difflib.get_close_matches(head, heads)
        candidates = [f"{known}.{tail}" for known in alike if tail and takes(f"{known}.{tail}", document)]
        similar = nearest(name, candidates) or nearest(head, heads)
    return InputError(f"{PARAMS}: {name}: there is no such field{similar}")
