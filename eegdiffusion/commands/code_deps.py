"""Compare the folders of code that ``dvc.yaml`` declares with those that decide each stage's result, and write them.

DVC reruns a stage when a dependency changed, so a module that is imported but not declared leaves stale results. The
folders are computed from the import statements (see :mod:`eegdiffusion.core.runtime.closure`).
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML

from eegdiffusion.core.runtime import shell
from eegdiffusion.core.runtime.closure import code_folders, is_code
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.printable import say

GRAPH = Path("dvc.yaml")


def update(graph: Mapping) -> list[str]:
    """Set the code that the stages of a parsed ``dvc.yaml`` depend on.

    Args:
        graph: the document, which is changed in place.

    Returns:
        What was changed: a line for each stage and folder, e.g. ``report: + eegdiffusion/report``.
    """
    changes = []
    for name, stage in graph["stages"].items():
        dependencies = stage.get("do", stage)["deps"]
        declared = [dependency for dependency in dependencies if is_code(dependency)]
        computed = code_folders(name)
        changes += [f"{name}: - {folder}" for folder in declared if folder not in computed]
        changes += [f"{name}: + {folder}" for folder in computed if folder not in declared]
        data = [dependency for dependency in dependencies if not is_code(dependency)]
        dependencies[:] = data + computed
    return changes


def main(argv: list[str] | None = None) -> None:
    """Write ``dvc.yaml``, or with ``--check`` only tell what would change; print each change."""
    parser = argparse.ArgumentParser(prog="python -m eegdiffusion.commands.code_deps", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 65 where folders differ")
    options = parser.parse_args(argv)
    yaml = YAML()
    yaml.width = 4096  # a command or a list of parameters stays on its line
    yaml.indent(mapping=2, sequence=4, offset=2)
    graph = yaml.load(GRAPH.read_text())
    if not (changes := update(graph)):
        return
    say(*changes)
    if options.check:
        raise InputError(f"{GRAPH}: deps: are not the folders of code that the stages import; run `make deps`")
    with GRAPH.open("w") as file:
        yaml.dump(graph, file)


if __name__ == "__main__":
    shell.run("code_deps", main)
