"""Trains and tests LFTs for a task, over all seeds."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from components.finetune_tasks.settings import EventTask, LFTTraining
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.ranks import is_rank_zero
from eegdiffusion.core.statistics.calibration import calibration_error
from eegdiffusion.core.statistics.classification_metrics import (
    best_threshold,
    binary_metrics,
    bootstrap_interval,
    chance_level,
    prediction_metrics,
)
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.results.classifier_io import write_classifier_result
from eegdiffusion.events.results.finetuned_tasks import TASK
from eegdiffusion.events.results.lft_folder import write_lft
from eegdiffusion.events.store.latent_cache import LatentCache
from eegdiffusion.events.store.window_groups import window_groups
from eegdiffusion.events.store.window_store import Store
from eegdiffusion.events.training.calibration import calibrate
from eegdiffusion.events.training.channel_subsets import score_subsets
from eegdiffusion.events.training.classifier_tokens import classify_tokens, open_tokens
from eegdiffusion.events.training.drawn_tokens import DrawnTokens
from eegdiffusion.events.training.event_task import balanced_weight, task_classes, task_facts
from eegdiffusion.events.training.finetuning import TrainedLFT, train_lft


@dataclass(frozen=True)
class TestedTask:
    """LFTs of all seeds in numbers.

    Attributes:
        folder: folder of the results of the seed that is best on the validation windows.
        seed: that seed.
        metrics: seed -> metric -> value on the test windows.
        classes: names of the classes.
        labels: (test windows,).
        probabilities: (test windows, classes) of that seed.
    """

    folder: Path
    seed: int
    metrics: dict[int, dict[str, float]]
    classes: list[str]
    labels: np.ndarray
    probabilities: np.ndarray


def _task_tokens(
    cache: Path, latents: Latents, store: Store, of_class: np.ndarray
) -> tuple[dict[str, LatentCache | DrawnTokens], dict[str, int]]:
    """Open the tokens of all splits under the task's labels; count the windows that are left out of each."""
    tokens, left_out = {}, {}
    splits = ("train", "validation", "test")
    for split, opened in zip(splits, open_tokens(cache, latents, store, *splits), strict=True):
        tokens[split] = opened.relabelled(of_class[opened.labels])
        left_out[split] = len(opened) - len(tokens[split])
        if not len(tokens[split]):
            raise InputError(f"{store.path}: split: {split} has no window of the task's classes")
    return tokens, left_out


def _binary_scores(
    trained: TrainedLFT, validation: LatentCache | DrawnTokens, test_labels: np.ndarray, predicted: np.ndarray,
    batch_size: int, device: torch.device,
) -> dict[str, float]:  # fmt: skip
    """Choose a threshold on the validation windows, and score the test windows with it and at all thresholds."""
    scores = classify_tokens(trained.lft, validation, batch_size, device, trained.seed).numpy()[:, 1]
    threshold = best_threshold(validation.labels, scores)
    chosen = prediction_metrics(test_labels, (predicted[:, 1] >= threshold).astype(np.int64))
    at_threshold = {f"{name}_at_threshold": value for name, value in chosen.items()}
    return binary_metrics(test_labels, predicted[:, 1]) | {"threshold": threshold} | at_threshold


def compute(
    store: Store,
    subject_of: Mapping[str, str],
    cache: Path,
    latents: Latents,
    key: str,
    task: EventTask,
    settings: LFTTraining,
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
    tokens, left_out = _task_tokens(cache, latents, store, of_class)
    train, validation, test = (tokens[split] for split in ("train", "validation", "test"))
    binary = task.head == "binary"
    weight = 1.0
    if binary:
        weight = balanced_weight(train.labels) if task.positive_weight == "balanced" else task.positive_weight
    batch_size, device = settings.optimisation.batch_size, device_of(hardware.accelerator)
    windows = store.event_windows("test")
    tables = {split: store.event_windows(split).table for split in ("validation", "test")}
    tables = {split: rows[of_class[rows["label"].to_numpy(np.int64)] >= 0] for split, rows in tables.items()}
    recordings = {split: rows["recording"].to_numpy() for split, rows in tables.items()}
    table, labels = tables["test"], test.labels
    preprocessing = replace(store.preprocessing, classes=classes)
    data, logits = task_facts(store.facts("test"), classes, of_class), 1 if binary else len(classes)
    metrics, predicted, best = {}, {}, float("-inf")
    chosen = seeds[0]
    for seed in seeds:
        trained = train_lft(
            train, validation, settings, logits, seed, hardware, work / f"fit-{seed}",
            positive_weight=weight, monitor=task.monitor,
        )  # fmt: skip
        if not is_rank_zero():
            continue
        folder = out / f"seed-{seed}"
        temperature = calibrate(trained.lft, validation, batch_size, device, seed)
        predicted[seed] = classify_tokens(trained.lft, test, batch_size, device, seed).numpy()
        score = trained.fitted.best_score
        facts = trained.facts(
            data, task=key, head=task.head, validation_score=score, left_out=left_out["test"], temperature=temperature
        )
        more = _binary_scores(trained, validation, labels, predicted[seed], batch_size, device) if binary else {}
        more |= {"calibration_error": calibration_error(labels, predicted[seed])}
        curves = trained.fitted.curves
        metrics[seed] = write_classifier_result(folder, table, labels, predicted[seed], curves, facts, more)
        dropout = settings.channel_dropout and asdict(settings.channel_dropout)
        scored = {"validation": validation, "test": test}
        score_subsets(trained.lft, store.montage, scored, recordings, len(classes), batch_size, device, dropout, folder)
        write_lft(folder, trained.lft, cache, windows, preprocessing)
        if score > best:
            chosen, best = seed, score
    if not is_rank_zero():
        return None
    groups = window_groups(table, subject_of)
    answers = np.stack([each.argmax(-1) for each in predicted.values()])
    interval = bootstrap_interval(labels, answers, groups, len(classes))
    facts = {
        "corpus": store.corpus,
        "classes": classes,
        "head": task.head,
        "left_out": left_out,
        "training_windows": len(train.labels),
        "test_windows": len(labels),
        "chance": chance_level(labels),
        "channels": store.montage.document(),
        "interval": asdict(interval),
        "groups": groups.tolist(),
        "warnings": store.warnings,
    }
    (out / TASK).write_text(json.dumps(facts, indent=2))
    return TestedTask(out / f"seed-{chosen}", chosen, metrics, classes, labels, predicted[chosen])
