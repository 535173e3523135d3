"""The code that decides what a stage makes: the import closure of its ``compute.py``, read from the import statements.

DVC, resumption keys and tests all take it from here, so that there is one answer to the question which code a result
depends on.
"""

import ast
from functools import cache
from pathlib import Path

PACKAGES = ("components", "eegdiffusion")

NEVER_DECIDES = (
    "eegdiffusion/core/observe/",
    "eegdiffusion/events/figures/",
    "eegdiffusion/events/serving/",
    "eegdiffusion/images/figures/",
    "eegdiffusion/images/serving/",
)
"""Drawing, tracking and serving: they show what a stage has made, and change nothing of it."""

DRAWS = frozenset({"report"})
"""Stages whose outputs are figures, so that the code that draws decides them too."""


def module_file(name: str) -> Path | None:
    """Return the file of a project module by its dotted name, or None when ``name`` is not one."""
    path = Path(*name.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def _imported(path: Path) -> frozenset[Path]:
    """Return the project files that a file imports, at any level of nesting, with the packages above them."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # Each name may be a module of the package, or something that the module defines.
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for module in modules:
            parts = module.split(".")
            if parts[0] in PACKAGES:
                names |= {".".join(parts[: depth + 1]) for depth in range(len(parts))}
    return frozenset(path for path in map(module_file, names) if path)


def closure(*entry_points: Path) -> set[Path]:
    """Return the entry points and all project files that they import, transitively; empty package files are left out.

    Args:
        entry_points: paths of Python files, relative to the repository, which is the working directory.
    """
    files, todo = set(entry_points), list(entry_points)
    while todo:
        imported = _imported(todo.pop()) - files
        files |= imported
        todo += imported
    return {path for path in files if path.stat().st_size}


def code_of(stage: str) -> set[Path]:
    """Return the files of the library and of the stage's folder that decide what a stage makes."""
    folder = Path("components", stage)
    own = {path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    compute = folder / "compute.py"
    entry_points = (
        {path for path in own if path.suffix == ".py"} if stage in DRAWS or not compute.exists() else {compute}
    )
    files = closure(*entry_points)
    if stage not in DRAWS:
        files = {path for path in files if not path.as_posix().startswith(NEVER_DECIDES)}
    return own | files


def folder_of(path: Path) -> str | None:
    """Return the folder by which ``dvc.yaml`` declares a file: the stage's, or the topic's; None for package heads."""
    parts = path.parts[:-1]
    depth = 2 if parts[0] == "components" else min(len(parts), 3)
    return "/".join(parts[:depth]) if depth >= 2 else None


def code_folders(stage: str) -> list[str]:
    """Return the folders of code that a stage depends on, sorted: its own, and those of :func:`code_of`."""
    return sorted({folder for folder in map(folder_of, code_of(stage)) if folder})


def is_code(dependency: str) -> bool:
    """Whether a dependency of ``dvc.yaml`` is project code."""
    return dependency.partition("/")[0] in PACKAGES
