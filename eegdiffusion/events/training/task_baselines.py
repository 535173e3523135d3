"""Baselines of a task: trained and tested on the windows, labels and seeds of its LFT."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.ranks import is_rank_zero
from eegdiffusion.core.statistics.classification_metrics import binary_metrics
from eegdiffusion.core.statistics.multilabel_metrics import class_thresholds, multilabel_metrics, multilabel_per_class
from eegdiffusion.core.storage.result_facts import DataFacts
from eegdiffusion.core.training.classification import probabilities
from eegdiffusion.core.training.classifier_training import FittedClassifier, train_classifier
from eegdiffusion.core.training.settings import Hardware, Optimisation
from eegdiffusion.events.models.band_power_regression import SEGMENT_S
from eegdiffusion.events.models.baselines import BAND_POWER, build_baseline
from eegdiffusion.events.results.classifier_io import write_classifier_result, write_multi_label_result
from eegdiffusion.events.store.relabelled_windows import RelabelledWindows
from eegdiffusion.events.training.event_task import EventTask


def check_baselines(key: str, task: EventTask, window_s: float) -> None:
    """Check that a task's baselines can learn from its windows, before anything is trained.

    Args:
        key: entry of the section ``event_tasks``, for the error.
        task: what it says.
        window_s: length of a window in seconds.

    Raises:
        InputError: windows are too short for band powers.
    """
    if BAND_POWER in task.baselines and window_s < SEGMENT_S:
        raise InputError(
            f"params.yaml: event_tasks.{key}.baselines: must not have band_power, which needs windows of "
            f"{SEGMENT_S:g} s or more (found {window_s:g} s); `baselines: []` trains none"
        )


def compare_baselines(
    names: list[str],
    windows: Mapping[str, RelabelledWindows],
    classes: list[str],
    rate_hz: float,
    data: DataFacts,
    optimisation: Optimisation,
    weights: list[float],
    monitor: str,
    seeds: list[int],
    hardware: Hardware,
    device: torch.device,
    out: Path,
    work: Path,
) -> None:
    """Train and test baselines, and write a folder ``<name>/seed-<seed>`` for each.

    Args:
        names: names of the baselines, see :func:`.baselines.build_baseline`.
        windows: windows of each split under the task's labels.
        classes: names of the task's classes.
        rate_hz: sampling rate of the windows.
        data: what results say of the test windows.
        optimisation: optimiser, and the stopping rule of the task's LFT.
        weights: factors on the loss of each class's windows, where windows may be of several classes.
        monitor: metric of the validation windows that stops training and chooses the weights.
        seeds: seeds of the weights and of the order of the samples.
        hardware: where to run.
        device: where they are tested.
        out: folder to write to.
        work: folder for checkpoints, from which an interrupted training goes on.
    """
    train, validation, test = (windows[split] for split in ("train", "validation", "test"))
    _, channels, samples = test.__getitems__([0])["signal"].shape
    sets = test.labels.ndim == 2
    for name in names:
        sizes: dict[str, Any] = {"name": name, "channels": channels, "samples": samples, "classes": len(classes)}
        sizes["rate_hz"] = rate_hz
        for seed in seeds:
            trained = train_classifier(
                partial(build_baseline, **sizes), train, validation, optimisation, seed, hardware,
                work / f"{name}-{seed}", weights if sets else 1.0, monitor,
            )  # fmt: skip
            if not is_rank_zero():
                continue
            validated, tested = (
                probabilities(trained.model, split, "signal", optimisation.batch_size, device, sets).numpy()
                for split in (validation, test)
            )
            write = _write_sets if sets else _write_one_class
            write(trained, validation, test, validated, tested, classes, data, out / name / f"seed-{seed}")


def _write_one_class(
    trained: FittedClassifier,
    validation: RelabelledWindows,
    test: RelabelledWindows,
    validated: np.ndarray,
    tested: np.ndarray,
    classes: list[str],
    data: DataFacts,
    folder: Path,
) -> None:
    more = binary_metrics(test.labels, tested[:, 1]) if len(classes) == 2 else {}
    write_classifier_result(folder, test.table, test.labels, tested, trained.fitted.curves, trained.facts(data), more)


def _write_sets(
    trained: FittedClassifier,
    validation: RelabelledWindows,
    test: RelabelledWindows,
    validated: np.ndarray,
    tested: np.ndarray,
    classes: list[str],
    data: DataFacts,
    folder: Path,
) -> None:
    thresholds = class_thresholds(validation.labels, validated)
    by_class = multilabel_per_class(test.labels, tested, thresholds, classes).to_dict("index")
    metrics = multilabel_metrics(test.labels, tested, thresholds)
    facts, curves = trained.facts(data, by_class=by_class), trained.fitted.curves
    write_multi_label_result(folder, test.table, test.labels, tested, thresholds, curves, facts, metrics)
