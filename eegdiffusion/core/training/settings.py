"""Settings that all training stages share."""

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
    devices: Positive
    """Processes a node; the global batch is divided among them."""
    nodes: Positive
    precision: Literal["32-true", "bf16-mixed", "16-mixed"]
    loader_workers: Count
    """Processes that read batches; 0 reads in the training process."""


@settings
class EMASettings:
    """Exponential moving average of the weights, as ``ema_pytorch.EMA``, updated once an optimiser step."""

    beta: Annotated[float, Gt(0), Lt(1)]
    update_after_step: Count
    update_every: Positive


@settings
class Optimisation:
    """AdamW, its schedule and its stopping rule."""

    batch_size: Positive
    """Samples in a global batch."""
    accumulate_batches: Positive = 1
    """Batches to an optimiser step."""
    max_epochs: Positive
    min_epochs: Positive = 1
    """No early stop before this epoch."""
    patience: Positive
    """Validations without improvement after which training stops."""
    validations_per_epoch: Positive = 1
    """Parts of an epoch; each ends with a validation and a checkpoint."""
    learning_rate: Annotated[float, Gt(0)]
    one_cycle: bool = False
    """Whether the rate follows ``OneCycleLR(max_lr=learning_rate, pct_start=0.1)`` instead of staying constant."""
    betas: tuple[Annotated[float, Ge(0), Lt(1)], Annotated[float, Ge(0), Lt(1)]]
    weight_decay: Annotated[float, Ge(0)]
    clip_norm: Annotated[float, Gt(0)]
    ema: EMASettings
