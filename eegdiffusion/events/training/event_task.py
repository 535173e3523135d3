"""Further tasks that an LFT is trained for: an entry of the section ``event_tasks``."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, field, replace
from typing import Annotated, Literal

import numpy as np
from annotated_types import Gt, Len, MinLen

from eegdiffusion.core.runtime.errors import InputError, nearest
from eegdiffusion.core.runtime.hashing import text_hash
from eegdiffusion.core.runtime.names import Name
from eegdiffusion.core.runtime.settings import settings, validate
from eegdiffusion.core.storage.result_facts import DataFacts
from eegdiffusion.events.training.finetuning_settings import LFTTraining

Monitor = Literal["cohen_kappa", "balanced_accuracy", "f1_weighted", "auroc", "auprc", "f1_macro"]
"""A metric of the validation windows."""

ONE_CLASS = ("cohen_kappa", "balanced_accuracy", "f1_weighted")
MONITORS = {
    "multiclass": ONE_CLASS,
    "binary": (*ONE_CLASS, "auroc", "auprc"),
    "multi_label": ("f1_macro", "auroc", "auprc"),
}
"""Metrics that each head has, its default first."""


@settings
class EventTask:
    """An entry of the section ``event_tasks``: a corpus, and what an LFT is to tell apart in it."""

    corpus: Name
    """Entry of the section ``event_corpora`` whose windows and labels the LFT learns from."""
    latents: Name
    """Entry of the section ``latents`` that holds their tokens."""
    classes: Annotated[dict[str, Annotated[list[str], MinLen(1)]], Len(2)] | None = None
    """Classes of the task by name, each with those of the corpus that it joins; windows of a class that none names are
    left out and counted. null: the corpus's own classes."""
    head: Literal["multiclass", "binary", "multi_label"] = "multiclass"
    """One logit a class; or, of two classes, one for the second; or, of each distinct window once, whose labels are the
    set of those of all its rows, yes or no for each class."""
    positive_weight: Literal["balanced"] | Annotated[float, Gt(0)] = "balanced"
    """Factor on the loss of the second class with a binary head, of each class's windows with a multi-label head;
    balanced: training windows without it over those with it."""
    monitor: Monitor | None = None
    """Metric of the validation windows that stops training and chooses weights and seed: `cohen_kappa` unless said, or
    `f1_macro` of a multi-label head. AUROC and AUPRC need a binary or a multi-label head."""
    baselines: list[Literal["band_power", "sparcnet", "contrawr"]] = field(default_factory=lambda: ["band_power"])
    """Classifiers that learn from the same windows, labels and seeds, with the optimiser of ``train_baselines`` and the
    stopping rule of the LFT; band powers need windows of a second or more."""
    model: dict = field(default_factory=dict)
    """Fields of ``finetune_lft.model`` that differ."""
    optimisation: dict = field(default_factory=dict)
    """Fields of ``finetune_lft.optimisation`` that differ."""
    training: dict = field(default_factory=dict)
    """Other fields of ``finetune_lft`` that differ, such as ``channel_dropout``, null for a montage of few channels."""


def task_training(key: str, task: EventTask, default: LFTTraining) -> LFTTraining:
    """Return how the LFT of a task is trained: as that of ``finetune_lft``, where the task says nothing else.

    Args:
        key: entry of the section ``event_tasks``, for errors.
        task: what it says.
        default: the section ``finetune_lft``.

    Raises:
        InputError: a field is unknown or breaks its rule.
    """
    where, fields = f"params.yaml: event_tasks.{key}", asdict(default)
    if placed := task.training.keys() & {"latents", "corpus", "model", "optimisation"}:
        raise InputError(f"{where}.training: must not have {', '.join(sorted(placed))}, which the task itself states")
    fields |= {"corpus": task.corpus, "latents": task.latents} | task.training
    fields |= {"model": fields["model"] | task.model, "optimisation": fields["optimisation"] | task.optimisation}
    return validate(fields, LFTTraining, where)


def task_classes(key: str, task: EventTask, corpus: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Return the names of a task's classes, and the class of each class of its corpus.

    Args:
        key: entry of the section ``event_tasks``, for errors.
        task: what it says.
        corpus: names of the corpus's classes.

    Returns:
        names; (corpus classes,) int64, 0-based, -1 of those that are left out.

    Raises:
        InputError: a class is unknown or named twice, or head, classes and monitor do not fit each other.
    """
    where = f"params.yaml: event_tasks.{key}"
    joined: Mapping[str, Sequence[str]] = task.classes or {name: [name] for name in corpus}
    of_class = np.full(len(corpus), -1, np.int64)
    for number, (name, members) in enumerate(joined.items()):
        for member in members:
            if member not in corpus:
                raise InputError(
                    f"{where}.classes.{name}: must be classes of {task.corpus}, which has {', '.join(corpus)} "
                    f"(found {member!r}){nearest(member, corpus)}"
                )
            if of_class[list(corpus).index(member)] >= 0:
                raise InputError(f"{where}.classes.{name}: a class belongs to one alone (found {member!r} twice)")
            of_class[list(corpus).index(member)] = number
    if task.head == "binary" and len(joined) != 2:
        raise InputError(f"{where}.head: binary is for two classes (found {', '.join(joined)})")
    if task.monitor and task.monitor not in MONITORS[task.head]:
        heads = " or ".join(f"`head: {head}`" for head, metrics in MONITORS.items() if task.monitor in metrics)
        raise InputError(f"{where}.monitor: {task.monitor} needs {heads} (found {task.head})")
    return list(joined), of_class


def monitor_of(task: EventTask) -> str:
    """Return the metric of the validation windows that a task's training is chosen by."""
    return task.monitor or MONITORS[task.head][0]


def task_facts(data: DataFacts, classes: list[str], of_class: np.ndarray, head: str = "multiclass") -> DataFacts:
    """Return what results say of their data; scores of other classes, or of distinct windows, are of other data.

    Args:
        data: what the store says of the split.
        classes: names of the task's classes.
        of_class: see :func:`task_classes`.
        head: the task's.
    """
    distinct = ["multi_label"] if head == "multi_label" else []
    split_hash = text_hash(data.split_hash, classes, of_class.tolist(), *distinct)
    return replace(data, classes=classes, split_hash=split_hash)


def balanced_weight(labels: np.ndarray) -> float:
    """Return the number of windows of the first class over that of the second.

    Args:
        labels: (windows,), 0 or 1.

    Raises:
        InputError: a class does not occur.
    """
    first, second = np.bincount(labels, minlength=2)
    if not first or not second:
        raise InputError(f"labels: both classes must occur among training windows (found {first} and {second})")
    return float(first / second)


def positive_weights(task: EventTask, classes: Sequence[str], labels: np.ndarray) -> list[float]:
    """Return the factor on the loss of each class's windows, or of the second class's with one logit.

    Args:
        task: the entry of the section ``event_tasks``.
        classes: names of its classes.
        labels: training labels, (windows,) 0-based; (windows, classes) of 0 and 1 with a multi-label head.

    Raises:
        InputError: weights are to be balanced, and a class occurs in no training window or in every one.
    """
    if task.head == "multiclass":
        return [1.0]
    if task.positive_weight != "balanced":
        return [task.positive_weight]
    if task.head == "binary":
        return [balanced_weight(labels)]
    counts = labels.sum(0)
    if wrong := [name for name, count in zip(classes, counts, strict=True) if count in (0, len(labels))]:
        raise InputError(
            f"labels: each class must occur in some training windows and not in others for `positive_weight: balanced` "
            f"(found {', '.join(wrong)} in none, or in all {len(labels)}); state a number"
        )
    return ((len(labels) - counts) / counts).tolist()
