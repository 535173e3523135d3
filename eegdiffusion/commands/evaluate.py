"""Score a registered classifier on windows of a store: ``eeg evaluate``."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eegdiffusion.commands.command_line import PATH, Choice, Command
from eegdiffusion.commands.registered_models import UNSIGNED_NOTE, load_classifier, unsigned_option
from eegdiffusion.core.runtime.errors import InputError, nearest
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.printable import say

if TYPE_CHECKING:
    import numpy as np
    import pandas

    from eegdiffusion.core.signal.preprocessing import Preprocessing
    from eegdiffusion.events.training.event_task import EventTask

SPLITS = ("train", "validation", "test")


def check_fit(carried: "Preprocessing", stored: "Preprocessing", model: str, store: Path) -> None:
    """Check that a store's windows are such as a model was trained on; the corpus may be another.

    Raises:
        InputError: filters, montage, window, unit or classes differ.
    """
    trained_on, offered = asdict(carried), asdict(stored)
    for field in trained_on.keys() - {"corpus"}:
        expected, given = (
            list(fields[field]) if field in ("classes", "channels") else fields[field]
            for fields in (trained_on, offered)
        )
        if expected != given:
            raise InputError(f"{store}: {field}: must be {expected}, as {model} was trained (found {given})")


def score_table(labels: "np.ndarray", probabilities: "np.ndarray", classes: list[str]) -> "pandas.DataFrame":
    """Make a table of scores, with the columns metric, class (empty where a metric is of all) and value.

    Args:
        labels: (windows,), 0-based.
        probabilities: (windows, classes).
        classes: names, in the order of the labels.
    """
    import pandas

    from eegdiffusion.core.statistics.classification_metrics import classification_metrics, per_class

    rows = [(name, "", value) for name, value in classification_metrics(labels, probabilities).items()]
    rows.append(("windows", "", len(labels)))
    by_class = per_class(labels, probabilities.argmax(1), classes)
    rows += [(metric, name, value) for name, row in by_class.iterrows() for metric, value in row.items()]
    return pandas.DataFrame(rows, columns=["metric", "class", "value"])


def _task_of(name: str) -> "EventTask":
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


@click.command("evaluate", cls=Command, clone=False)
@click.option("--model", default="models:/lft@champion", show_default=True, help="MLflow's address of the model.")
@click.option("--task", help="Entry of event_tasks in params.yaml, whose corpus and classes are taken.")
@click.option("--store", type=PATH, help="Window store to read; default: the task's, or data/events/tuev/store.")
@click.option("--split", type=Choice(SPLITS), default="test", show_default=True)
@click.option("--batch", type=click.IntRange(1), default=64, show_default=True, help="Windows in a batch.")
@click.option("--out", type=PATH, help="Table to write, .csv: metric, class, value.")
@unsigned_option
def command(
    model: str, task: str | None, store: Path | None, split: str, batch: int, out: Path | None, unsigned: bool
) -> None:
    """Score a registered classifier of events on the windows of a store that have labels.

    Prints Cohen's kappa, balanced accuracy and weighted F1, as the report has them, and precision, recall and F1 of
    each class. Works without a clone of the repository, given --store and MLFLOW_TRACKING_URI.
    """
    if out is not None and out.suffix != ".csv":
        raise InputError(f"--out: must end with .csv (found {out})")
    store = store or Path("data/events", _task_of(task).corpus if task else "tuev", "store")
    if not (store / "store.json").is_file():
        raise InputError(f"--store: {store}: must be a window store, with a file store.json; preprocessing makes one")

    with loading_modules():
        import numpy as np

        from eegdiffusion.core.runtime.progress import progress
        from eegdiffusion.core.storage.spreadsheet import write_table
        from eegdiffusion.events.store.window_store import Store
        from eegdiffusion.events.training.event_task import task_classes

        opened = Store(store)
        loaded, preprocessing = load_classifier(model, unsigned, "eeg evaluate")
    classes, of_class = opened.classes, np.arange(len(opened.classes))
    if task:
        classes, of_class = task_classes(task, _task_of(task), opened.classes)
    check_fit(preprocessing, replace(opened.preprocessing, classes=classes), model, store)
    windows = opened.event_windows(split)
    first, window_of_row = windows.distinct()
    batches = [first[begin : begin + batch] for begin in range(0, len(first), batch)]
    probabilities = [
        loaded.predict(windows.__getitems__(rows.tolist())["signal"])
        for rows in progress(batches, "windows", unit="batch", leave=None)
    ]
    if not batches:
        raise InputError(f"{store}: split: {split} has no windows")
    labels = of_class[windows.labels]
    kept = labels >= 0
    if left_out := np.count_nonzero(~kept):
        say(f"{left_out} windows of classes that are none of the task's are left out")
    table = score_table(labels[kept], np.concatenate(probabilities)[window_of_row][kept], classes)
    of_all, of_classes = table[table["class"] == ""], table[table["class"] != ""]
    name = f"{model}, trained on {preprocessing.corpus} data{UNSIGNED_NOTE if unsigned else ''}"
    say(f"{name}, on {split} windows of {opened.corpus} data ({store})")
    say(*(f"{row.metric:<20}{row.value:>10.4g}" for row in of_all.itertuples()))
    by_class = of_classes.pivot(index="class", columns="metric", values="value").loc[classes]
    shown = by_class[["precision", "recall", "f1", "support"]]
    say(*shown.to_string(float_format=lambda value: f"{value:.4g}").split("\n"))
    for warning in opened.warnings:
        say(f"WARNING: {warning}")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_table(out, table)
        say(out)
