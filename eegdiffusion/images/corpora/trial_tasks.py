"""What a person did in a trial: looked at an image, imagined it, or what else a corpus calls it."""

from pathlib import Path

import pandas

from eegdiffusion.core.recordings.bids_files import entities
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.names import RULE, is_name
from eegdiffusion.images.epochs.epoch_store import TASK

PERCEPTION, IMAGERY = "perception", "imagery"

COLUMN = TASK
"""Column of events tables that holds the task of a trial, as the store's index does."""


def tasks_of_events(table: pandas.DataFrame, recording: Path, where: str) -> pandas.Series | None:
    """Return the task of each event of an image.

    The column ``task`` of the table says it; else, for all of its events, the entity ``task-perception`` or
    ``task-imagery`` of the recording's name. Other entities name a paradigm and say nothing of it.

    Args:
        table: events that show or ask for an image, as text.
        recording: file of the recording.
        where: file of the events, for errors.

    Returns:
        (events,) names of tasks; None where neither says it.

    Raises:
        InputError: the column has an empty cell, or a value that is no name.
    """
    entity = entities(recording.name).get("task")
    named = entity if entity in (PERCEPTION, IMAGERY) else None
    if COLUMN not in table:
        return None if named is None else pandas.Series(named, index=table.index)
    tasks = table[COLUMN] if named is None else table[COLUMN].fillna(named)
    if tasks.isna().any():
        raise InputError(f"{where}: task: must be said of each event with an image ({tasks.isna().sum()} have none)")
    if wrong := sorted({str(task) for task in tasks if not is_name(task)}):
        raise InputError(f"{where}: task: {RULE} (found {', '.join(wrong[:5])})")
    return tasks
