"""Trains and tests LFTs for a task, over all seeds."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from components.finetune_tasks.settings import EventTask, LFTTraining
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.ranks import is_rank_zero
from eegdiffusion.core.statistics.classification_metrics import Interval, bootstrap_interval, chance_level
from eegdiffusion.core.statistics.multilabel_metrics import macro_f1_interval
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.settings import Hardware, Optimisation
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.results.finetuned_tasks import TASK
from eegdiffusion.events.results.lft_folder import write_lft
from eegdiffusion.events.store.latent_cache import LatentCache
from eegdiffusion.events.store.relabelled_windows import RelabelledWindows
from eegdiffusion.events.store.window_groups import window_groups
from eegdiffusion.events.store.window_store import Store
from eegdiffusion.events.training.classifier_tokens import open_tokens
from eegdiffusion.events.training.drawn_tokens import DrawnTokens
from eegdiffusion.events.training.event_task import (
    monitor_of,
    positive_weights,
    task_classes,
    task_facts,
)
from eegdiffusion.events.training.finetuning import train_lft
from eegdiffusion.events.training.scored_heads import ScoredSplits, score_multi_label, score_one_class
from eegdiffusion.events.training.task_baselines import check_baselines, compare_baselines


@dataclass(frozen=True)
class TestedTask:
    """LFTs of all seeds in numbers.

    Attributes:
        folder: folder of the results of the seed that is best on the validation windows.
        seed: that seed.
        metrics: seed -> metric -> value on the test windows.
        classes: names of the classes.
        labels: (test windows,); (test windows, classes) of 0 and 1 with a multi-label head.
        probabilities: (test windows, classes) of that seed.
    """

    folder: Path
    seed: int
    metrics: dict[int, dict[str, float]]
    classes: list[str]
    labels: np.ndarray
    probabilities: np.ndarray


def _task_tokens(
    cache: Path, latents: Latents, store: Store, of_class: np.ndarray, classes: int | None
) -> tuple[dict[str, LatentCache | DrawnTokens], dict[str, int]]:
    """Open the tokens of all splits under the task's labels; count the rows that are left out of each.

    ``classes`` is their number where each distinct window is taken once; None: each row is.
    """
    tokens, left_out = {}, {}
    splits = ("train", "validation", "test")
    for split, opened in zip(splits, open_tokens(cache, latents, store, *splits), strict=True):
        labels = of_class[opened.labels]
        left_out[split] = int(np.count_nonzero(labels < 0))
        if left_out[split] == len(labels):
            raise InputError(f"{store.path}: split: {split} has no window of the task's classes")
        tokens[split] = opened.relabelled(labels) if classes is None else opened.merged(labels, classes)
    return tokens, left_out


def compute(
    store: Store,
    subject_of: Mapping[str, str],
    cache: Path,
    latents: Latents,
    key: str,
    task: EventTask,
    settings: LFTTraining,
    baselines: Optimisation,
    seeds: list[int],
    hardware: Hardware,
    out: Path,
    work: Path,
) -> TestedTask | None:
    """Train and test an LFT for each seed, and write how they do together to ``task.json``.

    Args:
        store: window store that the latents were computed from.
        subject_of: recording -> subject.
        cache: folder of the latents.
        latents: what it holds.
        key: entry of the section ``event_tasks``.
        task: what it says.
        settings: sizes and optimisation, from :func:`.event_task.task_training`.
        baselines: optimiser of the baselines, and the stopping rule of the LFT.
        seeds: seeds of the weights and of the order of the samples.
        hardware: where to run.
        out: folder to write a folder ``seed-<seed>`` to: LFT and backbone, predictions, curves and metrics.
        work: folder for checkpoints, from which an interrupted training goes on.

    Returns:
        how all seeds were tested, and which is best; None in the followers of a distributed run, which write nothing.

    Raises:
        InputError: the task does not fit its corpus, or a class has no windows.
    """
    classes, of_class = task_classes(key, task, store.classes)
    check_baselines(key, task, store.description.window / store.sfreq)
    multi_label, binary = task.head == "multi_label", task.head == "binary"
    tokens, left_out = _task_tokens(cache, latents, store, of_class, len(classes) if multi_label else None)
    train, validation, test = (tokens[split] for split in ("train", "validation", "test"))
    weights = positive_weights(task, classes, train.labels)
    batch_size, device = settings.optimisation.batch_size, device_of(hardware.accelerator)
    splits = {
        split: RelabelledWindows(store.event_windows(split), of_class, len(classes), multi_label) for split in tokens
    }
    tables = {split: splits[split].table for split in ("validation", "test")}
    windows = ScoredSplits({"validation": validation, "test": test}, tables, classes)
    preprocessing = replace(store.preprocessing, classes=classes)
    data, logits = task_facts(store.facts("test"), classes, of_class, task.head), 1 if binary else len(classes)
    tested, best = {}, float("-inf")
    chosen = seeds[0]
    for seed in seeds:
        trained = train_lft(
            train, validation, settings, logits, seed, hardware, work / f"fit-{seed}",
            positive_weight=weights, monitor=monitor_of(task),
        )  # fmt: skip
        if not is_rank_zero():
            continue
        folder, score = out / f"seed-{seed}", trained.fitted.best_score
        about = {"task": key, "head": task.head, "validation_score": score, "left_out": left_out["test"]}
        test_head = score_multi_label if multi_label else score_one_class
        tested[seed] = test_head(trained, windows, data, about, settings, store.montage, batch_size, device, folder)
        write_lft(folder, trained.lft, cache, store.event_windows("test"), preprocessing)
        if score > best:
            chosen, best = seed, score
    compare_baselines(
        task.baselines, splits, classes, store.sfreq, data, baselines, weights, monitor_of(task), seeds, hardware,
        device, out / "baselines", work / "baselines",
    )  # fmt: skip
    if not is_rank_zero():
        return None
    groups = window_groups(windows.tables["test"], subject_of)
    answers = np.stack([each.predicted for each in tested.values()])
    facts = {
        "corpus": store.corpus,
        "classes": classes,
        "head": task.head,
        "left_out": left_out,
        "baselines": task.baselines,
        "training_windows": len(train.labels),
        "test_windows": len(test.labels),
        "chance": None if multi_label else chance_level(test.labels),
        "channels": store.montage.document(),
        "interval": asdict(_interval(test.labels, answers, groups, len(classes))),
        "groups": groups.tolist(),
        "warnings": store.warnings,
    }
    (out / TASK).write_text(json.dumps(facts, indent=2))
    metrics = {seed: each.metrics for seed, each in tested.items()}
    return TestedTask(out / f"seed-{chosen}", chosen, metrics, classes, test.labels, tested[chosen].probabilities)


def _interval(labels: np.ndarray, answers: np.ndarray, groups: np.ndarray, classes: int) -> Interval:
    """Return the interval of the balanced accuracy, or of the macro-F1 where windows may be of several classes."""
    if labels.ndim == 2:
        return macro_f1_interval(labels, answers, groups)
    return bootstrap_interval(labels, answers, groups, classes)
