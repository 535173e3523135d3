"""The option ``--task``: an entry of the section ``event_tasks``, and the window store of its corpus."""

from pathlib import Path
from typing import TYPE_CHECKING

from eegdiffusion.core.runtime.errors import InputError, nearest

if TYPE_CHECKING:
    from eegdiffusion.events.training.event_task import EventTask


def read_task_entry(name: str) -> "EventTask":
    """Read an entry of the section ``event_tasks``.

    Raises:
        InputError: there is no such entry.
    """
    from eegdiffusion.core.runtime.settings import load, validate
    from eegdiffusion.events.training.event_task import EventTask

    tasks = load().get("event_tasks", {})
    if name not in tasks:
        raise InputError(
            f"--task: must be an entry of event_tasks in params.yaml, which has {', '.join(tasks) or 'none'} "
            f"(found {name!r}){nearest(name, tasks)}"
        )
    return validate(tasks[name], EventTask, f"params.yaml: event_tasks.{name}")


def store_of_task(task: "EventTask") -> Path:
    """Return the folder of the window store of a task's corpus."""
    return Path("data/events", task.corpus, "store")
