"""Trains a classifier of windows from a seed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from eegdiffusion.core.storage.batched_dataset import BatchedDataset
from eegdiffusion.core.storage.result_facts import DataFacts, ResultFacts
from eegdiffusion.core.training.classification import Classification
from eegdiffusion.core.training.fit import Fitted, fit
from eegdiffusion.core.training.settings import Hardware, Optimisation


@dataclass(frozen=True)
class FittedClassifier:
    """A trained classifier.

    Attributes:
        model: (batch, channels, samples) -> logits, with the averaged weights of the best validation.
        fitted: how training went.
        seed: seed of the weights and of the order of the samples.
        monitor: metric of the validation windows by which it was chosen.
    """

    model: nn.Module
    fitted: Fitted
    seed: int
    monitor: str

    def facts(self, data: DataFacts, **more: object) -> ResultFacts:
        """Return what ``metrics.json`` says of the classifier.

        Args:
            data: what it is tested on.
            **more: further fields.
        """
        return ResultFacts(
            data=data,
            seed=self.seed,
            parameters=sum(parameter.numel() for parameter in self.model.parameters()),
            best_epoch=self.fitted.best_epoch,
            more={f"validation_{self.monitor}": self.fitted.best_score, **more},
        )


def train_classifier(
    build: Callable[[], nn.Module],
    train: BatchedDataset,
    validation: BatchedDataset,
    optimisation: Optimisation,
    seed: int,
    hardware: Hardware,
    work: Path,
    positive_weight: float | Sequence[float] = 1.0,
    monitor: str = "cohen_kappa",
) -> FittedClassifier:
    """Train a classifier of windows from a seed, which determines its first weights too.

    Args:
        build: makes the network, (batch, channels, samples) -> logits, with freshly drawn weights.
        train: windows and labels of the training split.
        validation: windows and labels of the validation split.
        optimisation: optimiser, its schedule and its stopping rule.
        seed: seed of the weights and of the order of the samples.
        hardware: devices, precision and loader workers.
        work: folder for checkpoints, from which an interrupted training goes on.
        positive_weight: factor on the loss of each class's windows, where windows may be of several classes.
        monitor: metric of the validation windows, the larger the better, that stops training and chooses the weights.
    """
    torch.manual_seed(seed)
    module = Classification(build(), optimisation, seed, "signal", positive_weight=positive_weight)
    fitted = fit(module, train, validation, monitor=f"validation_{monitor}", mode="max", hardware=hardware, work=work)
    return FittedClassifier(module.ema_model, fitted, seed, monitor)
