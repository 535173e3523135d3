"""Trains an LFT on cached latents and tests it."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from components.finetune_lft.settings import FinetuneLFT
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.ranks import is_rank_zero
from eegdiffusion.core.statistics.calibration import calibration_error
from eegdiffusion.core.statistics.classification_metrics import confusion_matrix
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.metric_logger import MetricLogger
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.events.models.latent_settings import Latents, check_corpus
from eegdiffusion.events.results.classifier_io import write_classifier_result
from eegdiffusion.events.results.lft_folder import write_lft
from eegdiffusion.events.results.tested_subsets import TestedSubsets
from eegdiffusion.events.store.window_store import Store
from eegdiffusion.events.training.calibration import calibrate
from eegdiffusion.events.training.channel_subsets import score_subsets
from eegdiffusion.events.training.classifier_tokens import classify_tokens, open_tokens
from eegdiffusion.events.training.finetuning import train_lft

KINDS = ("recorded", "shuffled")
"""Labels to train on: as recorded, or permuted among the windows as a control."""


@dataclass(frozen=True)
class FinetunedLFT:
    """A tested LFT in numbers.

    Attributes:
        metrics: metric -> value on the test windows.
        confusion: (classes, classes) counts of test windows, labels in rows.
        subsets: subsets of the channels that it was tested on as well; None where it takes all channels alone.
    """

    metrics: dict[str, float]
    confusion: np.ndarray
    subsets: TestedSubsets | None = None


def training_labels(recorded: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """Return the labels to train on.

    Args:
        recorded: (windows,) labels of the corpus.
        kind: one of ``KINDS``.
        seed: seed of the permutation.

    Raises:
        InputError: there is no such kind.
    """
    if kind not in KINDS:
        raise InputError(f"--labels: must be {' or '.join(KINDS)} (found {kind!r})")
    return recorded if kind == "recorded" else np.random.default_rng(seed).permutation(recorded)


def compute(
    store: Store,
    cache: Path,
    settings: FinetuneLFT,
    latents: Latents,
    kind: str,
    seed: int,
    hardware: Hardware,
    out: Path,
    work: Path,
    logger: MetricLogger | None = None,
) -> FinetunedLFT | None:
    """Train an LFT on cached latents, and test it on the recorded labels of the test windows.

    Args:
        store: window store that the latents were computed from.
        cache: folder of the latent cache.
        settings: sizes and optimisation.
        latents: which latents the cache is expected to hold.
        kind: labels to train on, one of ``KINDS``.
        seed: seed of the weights, the order of the samples and the permutation of the labels.
        hardware: where to run.
        out: folder to write the LFT with its backbone, input example, predictions, curves and metrics to.
        work: folder for checkpoints, from which an interrupted training goes on.
        logger: a Lightning logger.

    Returns:
        how the LFT was tested; None in the followers of a distributed run, which write nothing.

    Raises:
        InputError: the labels' kind is unknown, or the latents are of another corpus or recipe.
    """
    check_corpus(settings.latents, latents, settings.corpus)
    *learned, test = open_tokens(cache, latents, store, "train", "validation", "test")
    train, validation = (tokens.relabelled(training_labels(tokens.labels, kind, seed)) for tokens in learned)
    classes = len(store.classes)
    trained = train_lft(train, validation, settings, classes, seed, hardware, work / "fit", logger)
    if not is_rank_zero():
        return None
    batch_size, device = settings.optimisation.batch_size, device_of(hardware.accelerator)
    temperature = calibrate(trained.lft, validation, batch_size, device, seed)
    predicted = classify_tokens(trained.lft, test, batch_size, device, seed).numpy()
    windows, labels = store.event_windows("test"), test.labels
    facts = trained.facts(store.facts("test"), labels=kind, temperature=temperature)
    more = {"calibration_error": calibration_error(labels, predicted)}
    metrics = write_classifier_result(out, windows.table, labels, predicted, trained.fitted.curves, facts, more)
    scored = {"validation": validation, "test": test} if kind == "recorded" else {}
    dropout = settings.channel_dropout and asdict(settings.channel_dropout)
    recordings = {split: store.event_windows(split).table["recording"].to_numpy() for split in scored}
    subsets = None
    if scored:
        subsets = score_subsets(
            trained.lft, store.montage, scored, recordings, classes, batch_size, device, dropout, out
        )
    write_lft(out, trained.lft, cache, windows, store.preprocessing)
    return FinetunedLFT(metrics, confusion_matrix(labels, predicted.argmax(1), classes), subsets)
