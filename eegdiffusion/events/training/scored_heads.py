"""Tests a trained LFT on the windows of a task, and writes what its head has to say."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas
import torch

from eegdiffusion.core.signal.montages import Montage
from eegdiffusion.core.statistics.calibration import calibration_error
from eegdiffusion.core.statistics.classification_metrics import best_threshold, binary_metrics, prediction_metrics
from eegdiffusion.core.statistics.multilabel_metrics import class_thresholds, multilabel_metrics, multilabel_per_class
from eegdiffusion.core.storage.result_facts import DataFacts
from eegdiffusion.events.results.classifier_io import write_classifier_result, write_multi_label_result
from eegdiffusion.events.results.decision import DecisionRule, write_decision
from eegdiffusion.events.store.latent_cache import LatentCache
from eegdiffusion.events.training.calibration import calibrate
from eegdiffusion.events.training.channel_subsets import score_subsets
from eegdiffusion.events.training.classifier_tokens import classify_tokens
from eegdiffusion.events.training.drawn_tokens import DrawnTokens
from eegdiffusion.events.training.finetuning import TrainedLFT
from eegdiffusion.events.training.finetuning_settings import LFTTraining


@dataclass(frozen=True)
class ScoredSplits:
    """Windows that choose thresholds, and that scores are of.

    Attributes:
        tokens: tokens of ``validation`` and ``test``.
        tables: rows of the store's windows, of the same splits and in the same order; of a distinct window the first,
            with the number of its rows in ``rows``.
        classes: names of the task's classes.
    """

    tokens: dict[str, LatentCache | DrawnTokens]
    tables: dict[str, pandas.DataFrame]
    classes: list[str]


@dataclass(frozen=True)
class TestedLFT:
    """An LFT on the test windows.

    Attributes:
        metrics: metric -> value.
        probabilities: (windows, classes).
        predicted: (windows,) most probable class; (windows, classes) of bool with a multi-label head.
    """

    metrics: dict[str, float]
    probabilities: np.ndarray
    predicted: np.ndarray


def _binary_scores(
    validation: np.ndarray, scores: np.ndarray, labels: np.ndarray, probabilities: np.ndarray
) -> dict[str, float]:
    """Choose a threshold on the validation windows, and score the test windows with it and at all thresholds."""
    threshold = best_threshold(validation, scores[:, 1])
    chosen = prediction_metrics(labels, (probabilities[:, 1] >= threshold).astype(np.int64))
    at_threshold = {f"{name}_at_threshold": value for name, value in chosen.items()}
    return binary_metrics(labels, probabilities[:, 1]) | {"threshold": threshold} | at_threshold


def score_one_class(
    trained: TrainedLFT,
    windows: ScoredSplits,
    data: DataFacts,
    about: Mapping[str, object],
    settings: LFTTraining,
    montage: Montage,
    batch_size: int,
    device: torch.device,
    folder: Path,
) -> TestedLFT:
    """Calibrate and test an LFT of windows of one class each, also on fewer channels, and write its results.

    Args:
        trained: the LFT.
        windows: windows that choose the threshold, and that scores are of.
        data: what results say of the test windows.
        about: further facts of the LFT.
        settings: how it was trained.
        montage: channels of the windows.
        batch_size: windows that go through the LFT at once.
        device: where it runs.
        folder: folder to write to.
    """
    validation, test, seed = windows.tokens["validation"], windows.tokens["test"], trained.seed
    temperature = calibrate(trained.lft, validation, batch_size, device, seed)
    probabilities = classify_tokens(trained.lft, test, batch_size, device, seed).numpy()
    more = {}
    if about["head"] == "binary":
        scores = classify_tokens(trained.lft, validation, batch_size, device, seed).numpy()
        more = _binary_scores(validation.labels, scores, test.labels, probabilities)
    more |= {"calibration_error": calibration_error(test.labels, probabilities)}
    facts, curves = trained.facts(data, **about, temperature=temperature), trained.fitted.curves
    table = windows.tables["test"]
    metrics = write_classifier_result(folder, table, test.labels, probabilities, curves, facts, more)
    recordings = {split: rows["recording"].to_numpy() for split, rows in windows.tables.items()}
    dropout = asdict(settings.channel_dropout) if settings.channel_dropout else None
    classes = len(windows.classes)
    score_subsets(trained.lft, montage, windows.tokens, recordings, classes, batch_size, device, dropout, folder)
    return TestedLFT(metrics, probabilities, probabilities.argmax(-1))


def score_multi_label(
    trained: TrainedLFT,
    windows: ScoredSplits,
    data: DataFacts,
    about: Mapping[str, object],
    settings: LFTTraining,
    montage: Montage,
    batch_size: int,
    device: torch.device,
    folder: Path,
) -> TestedLFT:
    """Choose a threshold for each class on the validation windows, test an LFT of distinct windows, and write both.

    Args:
        trained: the LFT.
        windows: windows that choose the thresholds, and that scores are of.
        data: what results say of the test windows.
        about: further facts of the LFT.
        settings: how it was trained.
        montage: channels of the windows.
        batch_size: windows that go through the LFT at once.
        device: where it runs.
        folder: folder to write to.
    """
    validation, test, seed = windows.tokens["validation"], windows.tokens["test"], trained.seed
    scores = classify_tokens(trained.lft, validation, batch_size, device, seed).numpy()
    thresholds = class_thresholds(validation.labels, scores)
    probabilities = classify_tokens(trained.lft, test, batch_size, device, seed).numpy()
    by_class = multilabel_per_class(test.labels, probabilities, thresholds, windows.classes)
    metrics = multilabel_metrics(test.labels, probabilities, thresholds)
    facts = trained.facts(data, **about, by_class=by_class.to_dict("index"))
    table, curves = windows.tables["test"], trained.fitted.curves
    write_multi_label_result(folder, table, test.labels, probabilities, thresholds, curves, facts, metrics)
    write_decision(folder, DecisionRule("multi_label", dict(zip(windows.classes, thresholds.tolist(), strict=True))))
    return TestedLFT(metrics, probabilities, probabilities >= thresholds)
