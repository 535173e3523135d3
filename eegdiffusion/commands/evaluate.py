"""Score a registered classifier on windows of a store: ``eeg evaluate``."""

from pathlib import Path

import click

from eegdiffusion.commands.command_line import PATH, Choice, Command
from eegdiffusion.commands.registered_models import (
    UNSIGNED_NOTE,
    address,
    choose_device,
    device_option,
    load_classifier,
    require_device,
    require_known,
    unsigned_option,
)
from eegdiffusion.commands.said_scores import say_scores
from eegdiffusion.commands.task_entry import read_task_entry, store_of_task
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.printable import say

SPLITS = ("train", "validation", "test")


@click.command("evaluate", cls=Command, clone=False)
@click.argument("name", required=False)
@click.option("--model", default="models:/lft@champion", show_default=True, help="The same as NAME.")
@click.option("--task", help="Entry of event_tasks in params.yaml, whose corpus and classes are taken.")
@click.option("--store", type=PATH, help="Window store to read; default: the task's, or data/events/tuev/store.")
@click.option("--split", type=Choice(SPLITS), default="test", show_default=True)
@click.option("--batch", type=click.IntRange(1), default=64, show_default=True, help="Windows in a batch.")
@click.option("--out", type=PATH, help="Table to write, .csv: metric, class, value.")
@device_option
@unsigned_option
def command(
    name: str | None,
    model: str,
    task: str | None,
    store: Path | None,
    split: str,
    batch: int,
    out: Path | None,
    device: str,
    unsigned: bool,
) -> None:
    """Score a registered classifier of events on the windows of a store that have labels.

    NAME is MLflow's address of the model, such as models:/lft-blink@challenger. Prints Cohen's kappa, balanced accuracy
    and weighted F1, as the report has them (of two classes also AUROC and AUPRC of the second), and precision, recall
    and F1 of each class; of a multi-label head macro-F1, AUROC and AUPRC, each distinct window once. Works without a
    clone of the repository, given --store and MLFLOW_TRACKING_URI.
    """
    if out is not None and out.suffix != ".csv":
        raise InputError(f"--out: must end with .csv (found {out})")
    model = name or model
    entry = (task, read_task_entry(task)) if task else None
    store = store or (store_of_task(entry[1]) if entry else Path("data/events/tuev/store"))
    if not (store / "store.json").is_file():
        raise InputError(f"--store: {store}: must be a window store, with a file store.json; preprocessing makes one")
    choose_device(device)
    require_known(address(model))

    with loading_modules():
        from eegdiffusion.core.storage.spreadsheet import write_table
        from eegdiffusion.events.prediction.score_windows import score_windows
        from eegdiffusion.events.store.window_store import Store

        opened = Store(store)
        loaded, preprocessing = load_classifier(model, unsigned, "eeg evaluate")
        require_device(loaded.unwrap_python_model(), device)
    thresholds = getattr(loaded.unwrap_python_model(), "thresholds", None)
    scored = score_windows(loaded.predict, preprocessing, model, opened, split, entry, batch, thresholds)
    title = f"{model}, trained on {preprocessing.corpus} data{UNSIGNED_NOTE if unsigned else ''}"
    say_scores(scored, title, split, opened)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_table(out, scored.table())
        say(out)
