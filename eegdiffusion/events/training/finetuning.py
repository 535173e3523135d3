"""Trains an LFT on cached tokens, and tests it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.result_facts import DataFacts, ResultFacts
from eegdiffusion.core.training.fit import Fitted, fit
from eegdiffusion.core.training.metric_logger import MetricLogger
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.events.models.lft import LFT
from eegdiffusion.events.store.latent_cache import LatentCache
from eegdiffusion.events.training.drawn_tokens import DrawnTokens, DrawnTokensClassification
from eegdiffusion.events.training.finetuning_settings import LFTTraining
from eegdiffusion.events.training.lft_classification import LFTClassification, check_channel_dropout


@dataclass(frozen=True)
class TrainedLFT:
    """A trained LFT.

    Attributes:
        lft: the network with the averaged weights of the best validation.
        fitted: how training went.
        seed: seed of the weights and of the order of the samples.
        monitor: metric of the validation windows by which it was chosen.
    """

    lft: LFT
    fitted: Fitted
    seed: int
    monitor: str = "cohen_kappa"

    def facts(self, data: DataFacts, **more: object) -> ResultFacts:
        """Return what ``metrics.json`` says of the LFT.

        Args:
            data: what it is tested on.
            **more: further fields.
        """
        return ResultFacts(
            data=data,
            seed=self.seed,
            parameters=sum(p.numel() for p in self.lft.parameters()),
            best_epoch=self.fitted.best_epoch,
            more={f"validation_{self.monitor}": self.fitted.best_score, **more},
        )


def train_lft(
    train: LatentCache | DrawnTokens,
    validation: LatentCache | DrawnTokens,
    settings: LFTTraining,
    classes: int,
    seed: int,
    hardware: Hardware,
    work: Path,
    logger: MetricLogger | None = None,
    positive_weight: float | Sequence[float] = 1.0,
    monitor: str = "cohen_kappa",
) -> TrainedLFT:
    """Train an LFT from a seed.

    Args:
        train: tokens and labels of the training split.
        validation: tokens and labels of the validation split.
        settings: sizes of the LFT and how it is optimised.
        classes: number of logits: of the classes, or one for the second of two.
        seed: seed of the weights and of the order of the samples.
        hardware: devices, precision and loader workers.
        work: folder for checkpoints, from which an interrupted training goes on.
        logger: a Lightning logger; None logs nothing.
        positive_weight: factor on the loss of the second class, where there is one logit; of each class, where windows
            may be of several.
        monitor: metric of the validation windows, the larger the better, that stops training and chooses the weights.

    Returns:
        the classifier with the averaged weights of the best validation.

    Raises:
        InputError: one class alone occurs among the validation windows, by which nothing can be chosen; or the LFT
            cannot be trained on subsets of channels, and the settings ask for that.
    """
    labels = validation.labels
    present = np.flatnonzero(labels.any(0)) if labels.ndim == 2 else np.unique(labels)
    if len(present) < 2:
        raise InputError(
            f"validation: {monitor} chooses the weights, so two classes or more must occur among its windows (found "
            f"class {present[0]} alone of {len(validation)}); raise ingest_events.validation_fraction"
        )
    n_layer, n_pool, n_channel, d_model = validation.shape
    if settings.channel_dropout:
        check_channel_dropout(settings.channel_dropout, settings.model.fusion, n_channel)
    torch.manual_seed(seed)
    sizes = {"d_model": d_model, "n_layer": n_layer, "n_pool": n_pool, "n_channel": n_channel}
    lft = LFT(**sizes, n_class=classes, **asdict(settings.model))
    optimisation, smoothing, dropout = settings.optimisation, settings.label_smoothing, settings.channel_dropout
    module: LFTClassification
    if isinstance(train, DrawnTokens):
        module = DrawnTokensClassification(lft, optimisation, seed, train, smoothing, dropout, positive_weight)
    else:
        module = LFTClassification(lft, optimisation, seed, smoothing, dropout, positive_weight)
    fitted = fit(
        module,
        train,
        validation,
        monitor=f"validation_{monitor}",
        mode="max",
        hardware=hardware,
        work=work,
        logger=logger,
    )
    return TrainedLFT(module.ema_model, fitted, seed, monitor)
