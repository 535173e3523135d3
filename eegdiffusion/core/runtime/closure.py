"""The code that decides what a stage makes: the import closure of its ``compute.py``, read from the import statements.

DVC, resumption keys and tests all take it from here, so that there is one answer to the question which code a result
depends on. Files are named by their path relative to the folder that holds both packages, which is by default the one
from which this module was imported, so that a key is that of the code that runs.
"""

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PACKAGES = ("components", "eegdiffusion")

ROOT = Path(__file__).resolve().parents[3]

NEVER_DECIDES = (
    "eegdiffusion/core/observe/",
    "eegdiffusion/events/figures/",
    "eegdiffusion/events/serving/",
    "eegdiffusion/images/figures/",
    "eegdiffusion/images/serving/",
)
"""Drawing, tracking and serving: they show what a stage has made, and change nothing of it."""

WEIGHTS = frozenset({"eegdiffusion/surrogate/generator"})
"""Folders among the packages that hold no code."""

DRAWS = frozenset({"report"})
"""Stages whose outputs are figures, so that the code that draws decides them too."""


def module_file(name: str, root: Path = ROOT) -> Path | None:
    """Return the file of a project module by its dotted name, or None when ``name`` is not one."""
    path = Path(*name.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if (root / candidate).is_file():
            return candidate
    return None


@cache
def _imported_names(source: str) -> frozenset[str]:
    """Return dotted names of the project that a module's text imports, at any level of nesting, with their packages.

    A name that follows ``from package import`` may be a module, or something that the package's own file defines.
    """
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for module in modules:
            parts = module.split(".")
            if parts[0] in PACKAGES:
                names |= {".".join(parts[: depth + 1]) for depth in range(len(parts))}
    return frozenset(names)


def closure(*entry_points: Path, root: Path = ROOT) -> set[Path]:
    """Return the entry points and all project files that they import, transitively; empty files are left out.

    Args:
        entry_points: paths of Python files, relative to ``root``.
        root: the folder that holds the packages.
    """
    files, queue = set(entry_points), list(entry_points)
    while queue:
        names = _imported_names((root / queue.pop()).read_text())
        imported = {path for path in (module_file(name, root) for name in names) if path} - files
        files |= imported
        queue += imported
    return {path for path in files if (root / path).stat().st_size}


def _deciding(files: Iterable[Path]) -> set[Path]:
    return {path for path in files if not path.as_posix().startswith(NEVER_DECIDES)}


def code_of(stage: str, root: Path = ROOT) -> set[Path]:
    """Return the files of the library and of the stage's folder that decide what a stage makes."""
    folder = Path("components", stage)
    own = {
        path.relative_to(root)
        for path in (root / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    compute = folder / "compute.py"
    entry_points = {path for path in own if path.suffix == ".py"} if stage in DRAWS or compute not in own else {compute}
    files = closure(*entry_points, root=root)
    return own | (files if stage in DRAWS else _deciding(files))


def _hash(files: Iterable[Path], root: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(f"{path.as_posix()}\0".encode() + (root / path).read_bytes() + b"\0")
    return total.hexdigest()


def code_hash(*modules: str, root: Path = ROOT) -> str:
    """Return the SHA-256 of the code that decides what functions of some modules make: a part of resumption keys.

    Args:
        modules: dotted names of project modules, e.g. ``preprocess.__module__``; their import closure is hashed.
        root: the folder that holds the packages.

    Raises:
        ValueError: one of them is not a module of the project.
    """
    files = {name: path for name in modules if (path := module_file(name, root))}
    if unknown := [name for name in modules if name not in files]:
        raise ValueError(f"{', '.join(unknown)}: not a module of {' or '.join(PACKAGES)}")
    return _hash(_deciding(closure(*files.values(), root=root)), root)


def stage_code_hash(stage: str, root: Path = ROOT) -> str:
    """Return the SHA-256 of :func:`code_of` a stage: a part of the key of its unfinished runs."""
    return _hash(code_of(stage, root), root)


def folder_of(path: Path) -> str | None:
    """Return the folder by which ``dvc.yaml`` declares a file: the stage's, or the topic's; None for package heads."""
    parts = path.parts[:-1]
    depth = 2 if parts[0] == "components" else min(len(parts), 3)
    return "/".join(parts[:depth]) if len(parts) >= 2 else None


def code_folders(stage: str, root: Path = ROOT) -> list[str]:
    """Return the folders of code that a stage depends on, sorted: its own, and those of :func:`code_of`."""
    return sorted({folder for folder in map(folder_of, code_of(stage, root)) if folder})


def is_code(dependency: str) -> bool:
    """Whether a dependency of ``dvc.yaml`` is project code."""
    return dependency.partition("/")[0] in PACKAGES and dependency not in WEIGHTS
