"""What Airflow is to run, as dataclasses without Airflow: the stages of the graph, and the tasks around them."""

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from _dvc_graph import Graph, GraphError, Resources, Stage

SMALL = Resources(gpus=0, cpus=1, memory_gb=4, shm_gb=1, retries=3, timeout_min=120)
"""For tasks that move files and talk to servers."""

BAD_INPUT = 65
"""Exit status of a command that met bad configuration or data: a retry cannot help."""

NOTHING_TO_DO = 99
"""Exit status of a command that found nothing to do: its task is skipped, and emits no event."""


@dataclass(frozen=True)
class Task:
    """A command in a folder, with what it needs; ``command`` and ``folder`` may hold Airflow's templates.

    Where no file system is shared, ``folder`` is the branch whose clone the command runs in ("" for the default one).
    """

    id: str
    command: tuple[str, ...]
    folder: str
    resources: Resources = SMALL
    image: str = "data"
    group: str | None = None
    doc: str = ""
    keys: Literal["", "verify", "sign"] = ""
    """Whether it verifies signatures of models, or makes them too; no other task is given the site's keys."""

    @property
    def path(self) -> str:
        """The id as Airflow shows it, with its group."""
        return f"{self.group}.{self.id}" if self.group else self.id

    @property
    def pool(self) -> str:
        """Airflow's pool: tasks with GPUs wait for GPUs, the others for cores."""
        return "gpu" if self.resources.gpus else "cpu"

    @property
    def slots(self) -> int:
        """How much of its pool the task takes."""
        return self.resources.gpus or self.resources.cpus


@dataclass(frozen=True)
class Plan:
    """Tasks by the name of their stage, and edges between stages."""

    tasks: dict[str, Task]
    edges: frozenset[tuple[str, str]]

    @property
    def first(self) -> list[str]:
        """Stages that wait for no other."""
        return [name for name in self.tasks if not any(edge[1] == name for edge in self.edges)]

    @property
    def last(self) -> list[str]:
        """Stages that no other waits for."""
        return [name for name in self.tasks if not any(edge[0] == name for edge in self.edges)]


def plan(graph: Graph, root: Path | str, folder: str, command: tuple[str, ...], with_gpus: bool = True) -> Plan:
    """Turn stages into tasks.

    Args:
        graph: what ``dvc.yaml`` says.
        root: the repository, whose ``component.yaml`` files name the stages' images.
        folder: where the commands run (a template).
        command: what precedes the name of a stage in its command.
        with_gpus: whether there are GPUs that stages can be given; else they take their cores alone.

    Raises:
        GraphError: two items of a stage would get one task id.
    """
    tasks = {name: _task(stage, Path(root), folder, command, with_gpus) for name, stage in graph.stages.items()}
    seen: dict[str, str] = {}
    for name, task in tasks.items():
        if task.path in seen:
            raise GraphError(f"dvc.yaml: {name} and {seen[task.path]}: both would be the task {task.path}")
        seen[task.path] = name
    return Plan(tasks, graph.edges)


def _task(stage: Stage, root: Path, folder: str, command: tuple[str, ...], with_gpus: bool) -> Task:
    # Airflow allows no '@' in an id, and a dot would look like a group.
    task_id = re.sub(r"[^A-Za-z0-9_-]", "_", stage.key or stage.name)
    return Task(
        id=task_id,
        command=(*command, stage.name),
        folder=folder,
        resources=stage.resources if with_gpus else replace(stage.resources, gpus=0),
        image=_image(root, stage.base),
        group=stage.group,
        doc=stage.desc,
    )


@cache
def _image(root: Path, name: str) -> str:
    """Return the image of the component; a stage that is no component runs in the larger one."""
    path = root / "components" / name / "component.yaml"
    if not path.is_file():
        return "train"
    return yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))["image"]
