"""A classifier that is imported, scored on the windows of a task before it is registered."""

from pathlib import Path
from types import SimpleNamespace

from eegdiffusion.commands.said_scores import say_scores
from eegdiffusion.commands.task_entry import read_task_entry, store_of_task
from eegdiffusion.core.storage.model_hub import load_folder
from eegdiffusion.core.storage.result_facts import ResultFacts
from eegdiffusion.events.models.lft import LFT
from eegdiffusion.events.prediction.score_windows import score_windows
from eegdiffusion.events.results.classifier_io import write_classifier_result
from eegdiffusion.events.results.window_input import PREPROCESSING, read_preprocessing
from eegdiffusion.events.serving import lft_pyfunc
from eegdiffusion.events.store.window_store import Store
from eegdiffusion.events.training.event_task import task_facts


def score_imported(folder: Path, task: str, file: Path, corpus: str) -> None:
    """Score the classifier of a folder on a task's test split, say how well it does, and write its results there.

    Raises:
        InputError: the task's windows are not such as the classifier was trained on, or there are none.
    """
    entry = read_task_entry(task)
    store, preprocessing = Store(store_of_task(entry)), read_preprocessing(folder / PREPROCESSING)
    artifacts, _, _ = lft_pyfunc.package(folder)
    model = lft_pyfunc.EventClassifier()
    model.load_context(SimpleNamespace(artifacts={name: str(path) for name, path in artifacts.items()}))
    scored = score_windows(
        lambda windows: model.predict(None, windows), preprocessing, file.name, store, "test", (task, entry)
    )
    say_scores(scored, f"{file.name}, trained on {corpus} data", "test", store)
    facts = ResultFacts(
        data=task_facts(store.facts("test"), scored.classes, scored.of_class, entry.head),
        parameters=sum(parameter.numel() for parameter in load_folder(LFT, folder / "lft").parameters()),
        more={"task": task, "head": entry.head, "left_out": scored.left_out},
    )
    table = store.event_windows("test").table[scored.kept]
    more = {name: value for name, value in scored.metrics.items() if name in ("auroc", "auprc")}
    write_classifier_result(folder, table, scored.labels, scored.probabilities, [], facts, more)
