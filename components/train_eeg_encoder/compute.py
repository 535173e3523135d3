"""Trains and tests an encoder under all its protocols, bands, folds and seeds."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas

from components.train_eeg_encoder.settings import TrainEEGEncoder
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.encoders import protocol_choices, protocol_sheet
from eegdiffusion.images.encoders.encoder_settings import EncoderExperiment, seeds_of
from eegdiffusion.images.encoders.inspect_training import inspect_encoder
from eegdiffusion.images.encoders.training_folders import training_folder
from eegdiffusion.images.encoders.training_run import (
    ExperimentData,
    RunSettings,
    TrainingRun,
    open_experiment,
    run_training,
)
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.epochs.protocols import folds
from eegdiffusion.images.features.image_features import ImageFeatures

KeepTest = Callable[[tuple[dict[str, float], int]], None]


def named_metrics(run: TrainingRun, out: Path) -> dict[str, float]:
    """Name the test metrics of a training by its protocol, band and fold below the stage's folder ``out``."""
    prefix = ".".join(run.folder.relative_to(out).parts[:-1])
    return {f"{prefix}.{key}": value for key, value in run.metrics.items()}


def compute(
    store: EpochStore, features: ImageFeatures, experiment: EncoderExperiment, settings: TrainEEGEncoder,
    hardware: Hardware, seeds: list[int], out: Path, work: Path, keep_test: KeepTest | None = None,
) -> TrainingRun | None:  # fmt: skip
    """Train an encoder; the best training of the first protocol and band is inspected where it is to be registered.

    Args:
        store: epochs.
        features: features of the store's images.
        experiment: the encoder, and what it is trained under.
        settings: settings of the stage.
        hardware: what trains.
        seeds: seeds of each fold, unless the experiment has its own.
        out: folder to write, see :func:`training_folder` and :func:`run_training`.
        work: folder for checkpoints, from which an interrupted run goes on.
        keep_test: takes the test metrics of each training, see :func:`named_metrics`, and its seed.

    Returns:
        the training of the first protocol and band that is best on the validation split; None in all but the first
        process of a distributed run.

    Raises:
        InputError: the data do not fit the experiment.
    """
    data = open_experiment(store, features, experiment, settings.align, settings.classify)
    device = device_of(hardware.accelerator)
    align, classify = settings.align, settings.classify
    if experiment.average is not None:
        align, classify = (replace(part, average=experiment.average) for part in (align, classify))
    run_settings = RunSettings(align, classify, settings.test, hardware, device)
    subjects = sorted(store.index["subject"].unique())
    trainings = [
        (protocol, band, fold, seed)
        for protocol in experiment.protocols for band in experiment.bands
        for fold in folds(protocol, subjects, experiment.subjects) for seed in seeds_of(experiment, protocol, seeds)
    ]  # fmt: skip
    best = None
    for protocol, band, fold, seed in trainings:
        folder = training_folder(out, protocol, band, fold.name, seed)
        label, checkpoints = folder.relative_to(out.parent).as_posix(), work / folder.relative_to(out)
        say(f"{label}: training on {', '.join(fold.train)}")
        pairs = data.pair_epochs(fold, band, seed)
        run = run_training(data, pairs, protocol, seed, run_settings, folder, checkpoints)
        if run is None:
            continue
        shown = ", ".join(f"{metric} {value:.3f}" for metric, value in run.metrics.items())
        say(f"{label}: {shown}")
        if keep_test is not None:
            keep_test((named_metrics(run, out), seed))
        first = (protocol, band) == (experiment.protocols[0], experiment.bands[0])
        if first and (best is None or run.validation > best.validation):
            best = run
    if best is not None and experiment.objective == "align" and experiment.registered:
        inspect_encoder(best, device).save(best.folder)
    if experiment.protocol_sheet:
        write_protocol_sheet(data, features, experiment, settings, out)
    return best


def write_protocol_sheet(
    data: ExperimentData, features: ImageFeatures, experiment: EncoderExperiment, settings: TrainEEGEncoder, out: Path
) -> None:
    """Write ``protocol_sheet.parquet``: what the scores of single subjects owe to their protocol."""
    layers = {name: features.layer(name) for name in features.layer_names}
    subjects = sorted(data.store.index["subject"].unique())
    sheets = []
    for fold in folds("within", subjects, None if "anchor" in experiment.protocols else experiment.subjects):
        say(f"{out.name}: protocol sheet of {fold.name}")
        pairs = data.pair_epochs(fold, None, 0)
        sheets.append(protocol_sheet.sheet_of_subject(pairs, fold.name, layers, settings.align.ridge_alphas))
    pandas.concat(sheets, ignore_index=True).to_parquet(out / protocol_choices.FILE, index=False)
