"""Write the folders of code that each stage depends on into ``dvc.yaml``: ``make deps``.

DVC reruns a stage when a dependency changed, so a module that is imported but not declared leaves stale results. The
folders are computed from the import statements (see :mod:`eegdiffusion.core.runtime.closure`).
"""

from pathlib import Path

from ruamel.yaml import YAML

from eegdiffusion.core.runtime.closure import code_folders, is_code

GRAPH = Path("dvc.yaml")


def main() -> None:
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    graph = yaml.load(GRAPH.read_text())
    for name, stage in graph["stages"].items():
        body = stage.get("do", stage)
        data = [dependency for dependency in body["deps"] if not is_code(dependency)]
        del body["deps"][:]
        body["deps"].extend(data + code_folders(name))
    with GRAPH.open("w") as file:
        yaml.dump(graph, file)


if __name__ == "__main__":
    main()
