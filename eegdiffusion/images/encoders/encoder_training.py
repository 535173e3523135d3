"""Trains encoders of EEG epochs: aligned with image features, or as classifiers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.electrode_places import standard_places
from eegdiffusion.core.statistics.retrieval import ranks
from eegdiffusion.core.training.classification import Classification
from eegdiffusion.core.training.ema_module import EMALightningModule
from eegdiffusion.core.training.fit import Fitted, fit
from eegdiffusion.core.training.inference import batched
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.encoders.alignment import Alignment
from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder
from eegdiffusion.images.encoders.encoder_settings import LINEAR, Align, Classify, EncoderExperiment
from eegdiffusion.images.encoders.layer_weights import mix_layers
from eegdiffusion.images.encoders.registry import build_encoder, takes_positions
from eegdiffusion.images.encoders.ridge import select_ridge
from eegdiffusion.images.epochs.image_pairs import ALL, READ, Pairs
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs


@dataclass(frozen=True)
class TrainedEncoder:
    """A trained encoder.

    Attributes:
        encoder: encoder with averaged weights, those of the best validation.
        curves: metrics of each validation; empty where nothing was trained step by step.
        best_epoch: epoch, possibly fractional, whose weights were kept.
        validation: the metric that chose the weights and, of a ridge regression, its penalty ``alpha``.
    """

    encoder: EEGEncoder
    curves: list[dict[str, float]]
    best_epoch: float
    validation: dict[str, float]

    @property
    def parameters(self) -> int:
        """Number of trained values of the encoder."""
        return sum(p.numel() for p in self.encoder.parameters())


def _sizes(pairs: Pairs, experiment: EncoderExperiment, outputs: int, layer_widths: Sequence[int] = ()) -> dict:
    channels, samples = pairs.store.shape
    subjects = len(pairs.fold.train)
    sizes: dict = {
        "n_chans": channels,
        "n_times": samples,
        "n_outputs": outputs,
        "n_subjects": subjects if experiment.subject_layers else 0,
    }
    if layer_widths:
        sizes |= {"layer_widths": list(layer_widths), "routed_subjects": subjects * experiment.route_subjects}
    if takes_positions(experiment.encoder):
        sizes["positions"] = electrode_positions(pairs.store.description.channels, experiment.encoder)
    return sizes | experiment.options


def electrode_positions(channels: list[str], encoder: str) -> list[list[float]]:
    """Return the place (3,) in metres of each electrode on the head, by its name, for an encoder that asks for them.

    Raises:
        InputError: the places of some are not known.
    """
    places = standard_places(channels)
    if unknown := [name for name in channels if name not in places]:
        raise InputError(
            f"encoder {encoder}: positions: electrodes must have names of MNE's montage standard_1005, or "
            f"options.positions (found {', '.join(unknown)})"
        )
    return [places[name].round(4).tolist() for name in channels]


def _fitted(
    build: Callable[[EEGEncoder], EMALightningModule],
    pairs: Pairs,
    experiment: EncoderExperiment,
    outputs: int,
    seed: int,
    train: PairedEpochs,
    validation: PairedEpochs,
    monitor: str,
    mode: Literal["min", "max"],
    hardware: Hardware,
    work: Path,
    layer_widths: Sequence[int] = (),
) -> tuple[EMALightningModule, Fitted]:
    """Build an encoder for the epochs of ``pairs`` and train the module that ``build`` makes of it."""
    torch.manual_seed(seed)
    encoder = build_encoder(experiment.encoder, **_sizes(pairs, experiment, outputs, layer_widths))
    module = build(encoder)
    if len(train) < module.optimisation.batch_size:
        raise InputError(
            f"batch_size: must not exceed the {len(train)} training epochs of {', '.join(pairs.fold.train)} "
            f"(found {module.optimisation.batch_size})"
        )
    return module, fit(module, train, validation, monitor=monitor, mode=mode, hardware=hardware, work=work)


def train_aligned(
    pairs: Pairs,
    experiment: EncoderExperiment,
    settings: Align,
    seed: int,
    hardware: Hardware,
    work: Path,
    layer_widths: Sequence[int] = (),
) -> TrainedEncoder:
    """Align an encoder with the features in ``pairs.values``.

    Args:
        pairs: epochs, and of each image ``features`` and ``identity``.
        experiment: encoder and options.
        settings: settings of the alignment.
        seed: seed of weights and order.
        hardware: devices to train on.
        work: folder for checkpoints, from which an interrupted training goes on.
        layer_widths: widths of the layers whose mixture the features are; none: no mixture.
    """
    if experiment.encoder == LINEAR:
        return _fit_ridge(pairs, settings, layer_widths)
    train, validation = pairs.part("train", settings.average), pairs.part("validation", ALL)
    width = pairs.values["features"].shape[1]

    def build(encoder: EEGEncoder) -> Alignment:
        return Alignment(encoder, settings.optimisation, seed, settings.temperature, settings.mse_weight)

    monitor = "validation_rank"
    module, fitted = _fitted(
        build, pairs, experiment, width, seed, train, validation, monitor, "min", hardware, work, layer_widths
    )
    score = {monitor: fitted.best_score}
    return TrainedEncoder(module.ema_model.encoder, fitted.curves, fitted.best_epoch, score)


def _embeddings(encoder: EEGEncoder, epochs: PairedEpochs) -> np.ndarray:
    """Embed epochs, (epochs, width) float32."""
    return batched(lambda batch: encoder(batch["eeg"]), epochs, READ).numpy()


def _fit_ridge(pairs: Pairs, settings: Align, layer_widths: Sequence[int]) -> TrainedEncoder:
    """Fit a ridge regression on the averages over all repetitions; the penalty is the validation's best.

    So are the weights of the layers of a mixture, which are fitted last.
    """
    train, validation = pairs.part("train", ALL), pairs.part("validation", ALL)
    features, identity = validation.values("features"), validation.values("identity")

    def mean_rank(predicted: np.ndarray) -> float:
        rank = ranks(predicted, features, identity)
        return float(rank.mean()) / max(1, len(np.unique(identity)) - 1)

    selected = select_ridge(train, lambda items: items["features"], validation, settings.ridge_alphas, mean_rank)
    encoder, loss = selected.encoder, selected.loss
    if layer_widths:
        encoder = mix_layers(encoder, _embeddings(encoder, validation), features, identity, layer_widths)
        loss = mean_rank(_embeddings(encoder, validation))
    return TrainedEncoder(encoder, [], 0.0, {"alpha": selected.alpha, "validation_rank": loss})


def train_classifier(
    pairs: Pairs,
    experiment: EncoderExperiment,
    settings: Classify,
    classes: int,
    seed: int,
    hardware: Hardware,
    work: Path,
) -> TrainedEncoder:
    """Train an encoder to tell the concepts in ``pairs.values`` apart.

    Args:
        pairs: epochs, and ``label`` of each image.
        experiment: encoder and options.
        settings: settings of the classification.
        classes: number of concepts.
        seed: seed of weights and order.
        hardware: devices to train on.
        work: folder for checkpoints, from which an interrupted training goes on.

    Raises:
        InputError: the encoder predicts image features and cannot classify, or there are fewer epochs than a batch has.
    """
    if experiment.encoder == LINEAR:
        raise InputError("encoder ridge: predicts image features; objective must be align (found classify)")
    train, validation = (pairs.part(split, settings.average) for split in ("train", "validation"))

    def build(encoder: EEGEncoder) -> Classification:
        return Classification(encoder, settings.optimisation, seed, ("eeg", "subject"))

    monitor = "validation_cohen_kappa"
    module, fitted = _fitted(build, pairs, experiment, classes, seed, train, validation, monitor, "max", hardware, work)
    return TrainedEncoder(module.ema_model, fitted.curves, fitted.best_epoch, {monitor: fitted.best_score})
