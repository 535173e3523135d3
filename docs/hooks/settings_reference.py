"""The page of settings, made from the settings classes by reading their source; nothing is imported.

A section of ``params.yaml`` is found where a stage asks for it, ``run.settings(Class, "section")``, or by the words
"Section ``name``" of a settings class.
"""

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

HEAD = """# Settings

This page is made from the settings classes. Settings stand in `params.yaml`, by section; a field that is unknown,
missing or out of bounds stops a stage at once, with file, field and rule.
`.venv/bin/eeg params set SECTION.FIELD=VALUE` changes one and keeps the file's comments;
`.venv/bin/eeg params profile paper` puts the papers' values in place; an editor works as well.

Where a column is empty, the field has no default, or the demo or the papers say nothing of their own.

"""

WORDS = {"int": "integer", "float": "number", "str": "text", "bool": "true or false", "dict": "mapping", "None": "null"}
BOUNDS = {"Ge": "at least", "Gt": "above", "Le": "at most", "Lt": "below", "MinLen": "entries, at least"}


@dataclass(frozen=True)
class Module:
    """A source file: its imports ``name -> (module, name)``, aliases ``name -> expression``, and classes."""

    imports: dict[str, tuple[str, str]]
    aliases: dict[str, ast.expr]
    classes: dict[str, ast.ClassDef]


@dataclass(frozen=True)
class Field:
    """A field of a settings class, as the page shows it."""

    name: str
    kind: str
    default: str
    meaning: str


@cache
def _module(path: Path) -> Module:
    imports, aliases, classes = {}, {}, {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            imports |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            aliases[node.targets[0].id] = node.value
        elif isinstance(node, ast.ClassDef):
            classes[node.name] = node
    return Module(imports, aliases, classes)


def _find(name: str, path: Path, root: Path) -> tuple[ast.AST, Path] | None:
    """Return what a name means in a file, a class or an expression, and the file that defines it."""
    module = _module(path)
    if name in module.classes:
        return module.classes[name], path
    if name in module.aliases:
        return module.aliases[name], path
    if name in module.imports:
        source, name = module.imports[name]
        for file in (root / f"{source.replace('.', '/')}.py", root / source.replace(".", "/") / "__init__.py"):
            if file.is_file():
                return _find(name, file, root)
    return None


def _is_settings(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and any(
        getattr(decorator, "id", "") == "settings" for decorator in node.decorator_list
    )


def _kind(node: ast.expr, path: Path, root: Path) -> str:
    """Return the words for an annotation."""
    if isinstance(node, ast.Constant):
        return "null" if node.value is None else f"`{node.value}`"
    if isinstance(node, ast.Name):
        definition = _find(node.id, path, root)
        if definition is None:
            return WORDS.get(node.id, f"`{node.id}`")
        return f"a block `{node.id}`" if isinstance(definition[0], ast.ClassDef) else _kind(*definition, root)
    if isinstance(node, ast.BinOp):
        return f"{_kind(node.left, path, root)} or {_kind(node.right, path, root)}"
    if isinstance(node, ast.Subscript):
        arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        outer = getattr(node.value, "id", ast.unparse(node.value))
        if outer == "Annotated":
            bounds = [
                f"{BOUNDS[bound.func.id]} {ast.unparse(bound.args[0])}"
                for bound in arguments[1:]
                if isinstance(bound, ast.Call) and getattr(bound.func, "id", "") in BOUNDS and bound.args
            ]
            return ", ".join([_kind(arguments[0], path, root), *bounds])
        if outer == "Literal":
            return ", ".join(f"`{value.value}`" for value in arguments)
        if outer in ("list", "tuple", "set"):
            kinds = dict.fromkeys(
                _kind(argument, path, root) for argument in arguments if ast.unparse(argument) != "..."
            )
            return f"list of {'; '.join(kinds)}"
        if outer == "dict":
            return f"mapping to {_kind(arguments[-1], path, root)}"
    return f"`{ast.unparse(node)}`"


def fields_of(node: ast.ClassDef, path: Path, root: Path, prefix: str = "") -> list[Field]:
    """Return the fields of a settings class and of those it inherits from; blocks are dotted, ``optimisation.betas``.

    Args:
        node: the class.
        path: the file that defines it.
        root: the repository.
        prefix: what the names begin with.
    """
    fields = []
    for base in node.bases:
        definition = _find(getattr(base, "id", ""), path, root)
        if definition and isinstance(definition[0], ast.ClassDef):
            fields += fields_of(*definition, root, prefix)
    for position, statement in enumerate(node.body):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        name, following = f"{prefix}{statement.target.id}", node.body[position + 1 : position + 2]
        meaning = ""
        if following and isinstance(following[0], ast.Expr) and isinstance(following[0].value, ast.Constant):
            meaning = " ".join(str(following[0].value.value).split())
        block = _find(getattr(statement.annotation, "id", ""), path, root)
        default = "" if statement.value is None else f"`{_default(statement.value)}`"
        if block and _is_settings(block[0]):
            if meaning:
                fields.append(Field(name, "a block", default, meaning))
            fields += fields_of(*block, root, f"{name}.")
        else:
            fields.append(Field(name, _kind(statement.annotation, path, root), default, meaning))
    # A class that overrides a field of its base says what the field is.
    return list({field.name: field for field in fields}.values())


def _default(node: ast.expr) -> str:
    text = ast.unparse(node)
    return {"None": "null", "True": "true", "False": "false", "()": "[]"}.get(text, text.strip("'"))


def _asked_for(path: Path) -> list[tuple[str, ast.expr]]:
    """Return the sections that a stage's ``__main__.py`` asks for, and the expressions of their types."""
    sections = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "run.settings" and node.args):
            continue
        name, kind = path.parent.name, node.args[0]
        if len(node.args) > 1:
            parts = node.args[1].values if isinstance(node.args[1], ast.JoinedStr) else [node.args[1]]
            name = "".join(str(part.value) if isinstance(part, ast.Constant) else "<entry>" for part in parts)
        if isinstance(kind, ast.Subscript) and getattr(kind.value, "id", "") == "dict":
            name, kind = f"{name}.<entry>", kind.slice.elts[1]
        sections.append((name, kind))
    return sections


def sections_of(root: Path = Path()) -> dict[str, tuple[ast.ClassDef, Path]]:
    """Return the settings class of each section of ``params.yaml``, with the file that defines it."""
    sections = {}
    for path in sorted(root.glob("components/*/__main__.py")):
        for name, kind in _asked_for(path):
            definition = _find(getattr(kind, "id", ""), path, root)
            if definition and _is_settings(definition[0]):
                sections[name] = definition
    for path in sorted([*root.glob("eegdiffusion/**/*.py"), *root.glob("components/*/settings.py")]):
        for node in _module(path).classes.values():
            words = re.search(r"[Ss]ection ``([a-z_]+)``", ast.get_docstring(node) or "")
            if words and _is_settings(node):
                entry = re.search(r"(?i)entry of the section", ast.get_docstring(node))
                sections.setdefault(f"{words[1]}.<entry>" if entry else words[1], (node, path))
    # A part that one stage asks for stands in the table of the whole.
    return {
        name: definition
        for name, definition in sections.items()
        if not any(name != other and name.startswith(f"{other}.") for other in sections)
    }


def _value(document: dict, name: str) -> str:
    """Return the value of a dotted field, as YAML in one line, or nothing."""
    for part in name.split("."):
        if not isinstance(document, dict) or part not in document:
            return ""
        document = document[part]
    return f"`{yaml.safe_dump(document, default_flow_style=True, width=1000).removesuffix('...\n').strip()}`"


def _head(name: str) -> str:
    return name.partition(".")[0]


def _cell(text: str) -> str:
    return re.sub(r"``(.*?)``", r"`\1`", re.sub(r":\w+:`~?(.*?)`", r"`\1`", text)).replace("|", r"\|")


def settings_page(root: Path = Path()) -> str:
    """Return the page, in Markdown: a section of ``params.yaml`` a heading, a field a row."""
    document = yaml.safe_load((root / "params.yaml").read_text())
    profiles = sorted(root.glob("eegdiffusion/**/paper.yaml"))
    papers = yaml.safe_load(profiles[0].read_text()) if profiles else {}
    sections = sections_of(root)
    lines, order = [], list(document)
    for name in sorted(sections, key=lambda name: (order.index(head) if (head := _head(name)) in order else 99, name)):
        node, path = sections[name]
        meaning = " ".join((ast.get_docstring(node) or "").split())
        lines += [f"## `{name.replace('.<entry>', '.NAME')}` {{ #{_head(name)} }}", "", _cell(meaning), ""]
        lines += ["| field | value | default | demo | papers | meaning |", "|---|---|---|---|---|---|"]
        for field in fields_of(node, path, root):
            values = (_value(source, f"{name}.{field.name}") for source in (document, papers))
            cells = (f"`{field.name}`", field.kind, field.default, *values, field.meaning)
            lines.append(f"| {' | '.join(map(_cell, cells))} |")
        lines.append("")
    for name in sorted(set(document) - set(map(_head, sections))):
        lines += [f"## `{name}` {{ #{name} }}", "", "Which items the stages of `dvc.yaml` run for.", ""]
        lines += ["| field | demo |", "|---|---|"]
        lines += [f"| `{field}` | {_cell(_value(document, f'{name}.{field}'))} |" for field in document[name]]
        lines.append("")
    return HEAD + "\n".join(lines)
