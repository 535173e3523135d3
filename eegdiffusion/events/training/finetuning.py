"""Trains an LFT on cached tokens, and tests it."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch

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
        lft: the network with the averaged weights of the best validation kappa.
        fitted: how training went.
        seed: seed of the weights and of the order of the samples.
    """

    lft: LFT
    fitted: Fitted
    seed: int

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
            more={"validation_cohen_kappa": self.fitted.best_score, **more},
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
) -> TrainedLFT:
    """Train an LFT from a seed.

    Args:
        train: tokens and labels of the training split.
        validation: tokens and labels of the validation split.
        settings: sizes of the LFT and how it is optimised.
        classes: number of classes.
        seed: seed of the weights and of the order of the samples.
        hardware: devices, precision and loader workers.
        work: folder for checkpoints, from which an interrupted training goes on.
        logger: a Lightning logger; None logs nothing.

    Returns:
        the classifier with the averaged weights of the best validation.

    Raises:
        InputError: the LFT cannot be trained on subsets of channels, and the settings ask for that.
    """
    n_layer, n_pool, n_channel, d_model = validation.shape
    if settings.channel_dropout:
        check_channel_dropout(settings.channel_dropout, settings.model.fusion, n_channel)
    torch.manual_seed(seed)
    sizes = {"d_model": d_model, "n_layer": n_layer, "n_pool": n_pool, "n_channel": n_channel}
    lft = LFT(**sizes, n_class=classes, **asdict(settings.model))
    optimisation, smoothing, dropout = settings.optimisation, settings.label_smoothing, settings.channel_dropout
    module: LFTClassification
    if isinstance(train, DrawnTokens):
        module = DrawnTokensClassification(lft, optimisation, seed, train, smoothing, dropout)
    else:
        module = LFTClassification(lft, optimisation, seed, smoothing, dropout)
    fitted = fit(
        module,
        train,
        validation,
        monitor="validation_cohen_kappa",
        mode="max",
        hardware=hardware,
        work=work,
        logger=logger,
    )
    return TrainedLFT(module.ema_model, fitted, seed)
