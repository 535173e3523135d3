"""Write the code that each stage depends on into ``dvc.yaml``: ``python -m eegdiffusion.commands.code_deps``.

DVC reruns a stage when a dependency changed, so a module that is imported but not declared leaves stale results, and
one that is declared but not imported wastes a training run. The lists are computed from the import statements.
"""

import ast
from pathlib import Path

from ruamel.yaml import YAML

GRAPH = Path("dvc.yaml")
PACKAGES = ("components", "eegdiffusion")


def module_file(name: str) -> Path | None:
    """File of a project module, or None when ``name`` is not one."""
    path = Path(*name.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def imported(file: Path) -> set[str]:
    """Names of the project modules that a file imports, at any level, the packages above them included."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # Each name may be a module of the package, or something that the module defines.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] in PACKAGES:
                found |= {".".join(parts[: k + 1]) for k in range(len(parts))}
    return {name for name in found if module_file(name)}


def code_of(stage: str) -> list[str]:
    """Files that a stage depends on: all of its own folder, and the project modules that it imports, transitively.

    Empty files, which mark packages, are left out: DVC warns of each at every run.
    """
    folder = Path("components", stage)
    own = {path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    files, todo = set(own), [path for path in own if path.suffix == ".py"]
    while todo:
        for name in imported(todo.pop()):
            file = module_file(name)
            if file not in files:
                files.add(file)
                todo.append(file)
    return sorted(path.as_posix() for path in files if path.stat().st_size)


def is_code(dependency: str) -> bool:
    """Whether a dependency of ``dvc.yaml`` is project code."""
    return dependency.partition("/")[0] in PACKAGES


def main() -> None:
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    graph = yaml.load(GRAPH.read_text())
    for name, stage in graph["stages"].items():
        body = stage.get("do", stage)
        data = [dependency for dependency in body["deps"] if not is_code(dependency)]
        del body["deps"][:]
        body["deps"].extend(data + code_of(name))
    with GRAPH.open("w") as file:
        yaml.dump(graph, file)


if __name__ == "__main__":
    main()
