"""Builds Airflow's tasks, groups and edges from a plan, within the current DAG."""

import itertools
import re

from _operators import operator
from _plan import Plan, Task
from _settings import Settings
from airflow.sdk import TaskGroup


def slug(text: str) -> str:
    """Return a name that folders, branches and containers may bear."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text)


SLUG = {"slug": slug}
"""Filters of a DAG's templates."""


def build_tasks(
    settings: Settings, before: list[Task], stages: Plan, after: list[Task], outlets: dict | None = None
) -> None:
    """Build a chain of tasks, the stages between their edges, and another chain.

    Args:
        settings: the runtime.
        before: tasks that run one after another, then the stages.
        stages: the plan of the graph.
        after: tasks that run one after another once all stages have succeeded.
        outlets: assets of tasks, by id.
    """
    outlets = outlets or {}

    def build(task: Task):
        return operator(task, settings, outlets=outlets.get(task.id, []))

    groups: dict[str, TaskGroup] = {}
    operators = {}
    for name, task in stages.tasks.items():
        if task.group is None:
            operators[name] = build(task)
            continue
        if task.group not in groups:
            groups[task.group] = TaskGroup(task.group)
        with groups[task.group]:
            operators[name] = build(task)
    for upstream, downstream in sorted(stages.edges):
        operators[upstream] >> operators[downstream]
    head, tail = [build(task) for task in before], [build(task) for task in after]
    for chain in (head, tail):
        for first, second in itertools.pairwise(chain):
            first >> second
    for name in stages.first:
        head[-1] >> operators[name]
    for name in stages.last:
        operators[name] >> tail[0]
