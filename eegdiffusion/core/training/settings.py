"""Settings that all training stages share."""

from dataclasses import fields
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from eegdiffusion.core.runtime.settings import settings

Positive = Annotated[int, Ge(1)]
Count = Annotated[int, Ge(0)]


Accelerator = Literal["cpu", "gpu", "auto"]


@settings
class Hardware:
    """Where training runs; handed to Lightning's ``Trainer``."""

    accelerator: Accelerator
    """What training runs on: ``cpu``, ``gpu``, or ``auto``, which takes a GPU where there is one."""
    devices: Positive = 1
    """Number of processes on each node, one for each GPU; the global batch is divided among them."""
    nodes: Positive = 1
    """Number of machines that train together."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"]
    """Lightning's name of the numbers' format in training; it changes results, and stages run again for it."""
    loader_workers: Count = 0
    """Number of processes that read batches; 0 reads in the training process."""


@settings
class EMASettings:
    """Exponential moving average of the weights, as ``ema_pytorch.EMA``, updated once an optimiser step."""

    beta: Annotated[float, Gt(0), Lt(1)] = 0.999
    """Decay of the average at each update, between 0 and 1."""
    update_after_step: Count = 100
    """Number of optimiser steps before which the average is a copy of the weights."""
    update_every: Positive = 10
    """Number of optimiser steps between updates of the average."""


@settings
class Optimiser:
    """AdamW and its schedule."""

    batch_size: Positive
    """Number of samples in a global batch, over all devices."""
    accumulate_batches: Positive = 1
    """Number of batches whose gradients are added up for one optimiser step."""
    validations_per_epoch: Positive = 1
    """Number of parts of an epoch, each of which ends with a validation and a checkpoint."""
    learning_rate: Annotated[float, Gt(0)]
    """Learning rate of AdamW; with ``one_cycle`` its maximum."""
    one_cycle: bool = False
    """Whether the rate follows ``OneCycleLR(max_lr=learning_rate, pct_start=0.1)`` instead of staying constant."""
    betas: tuple[Annotated[float, Ge(0), Lt(1)], Annotated[float, Ge(0), Lt(1)]] = (0.9, 0.999)
    """Decay rates of AdamW's running averages of the gradient and of its square, each below 1."""
    weight_decay: Annotated[float, Ge(0)] = 0.0
    """Weight decay of AdamW, decoupled from the learning rate's gradient step."""
    clip_norm: Annotated[float, Gt(0)] = 1.0
    """Largest L2 norm of the gradient; a longer one is scaled down to it."""
    ema: EMASettings = EMASettings()
    """Exponential moving average of the weights, which is what is validated and kept."""


@settings
class Optimisation(Optimiser):
    """AdamW, its schedule and its stopping rule."""

    max_epochs: Positive
    """Largest number of epochs."""
    min_epochs: Count = 0
    """Number of epochs after which early stopping begins to watch; those before are neither best nor use patience."""
    patience: Positive
    """Number of validations without improvement after which training stops."""


def stopping_after(optimiser: Optimiser, *, max_epochs: int, min_epochs: int, patience: int) -> Optimisation:
    """Give an optimiser a stopping rule, such as that of a training which it is compared with.

    Args:
        optimiser: the optimiser and its schedule.
        max_epochs: largest number of epochs.
        min_epochs: number of epochs after which early stopping begins to watch.
        patience: number of validations without improvement after which training stops.
    """
    own = {entry.name: getattr(optimiser, entry.name) for entry in fields(Optimiser)}
    return Optimisation(**own, max_epochs=max_epochs, min_epochs=min_epochs, patience=patience)
