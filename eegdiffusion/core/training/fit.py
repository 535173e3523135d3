"""Fits a network with Lightning: progress, checkpoints, resuming, early stopping, curves."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from eegdiffusion.core.storage.batched_dataset import BatchedDataset
from eegdiffusion.core.training.batches import BatchesInOrder, ShuffledBatches, loader
from eegdiffusion.core.training.checkpoint_io import SafetensorsCheckpointIO
from eegdiffusion.core.training.device import require_devices
from eegdiffusion.core.training.early_stopping import DelayedEarlyStopping
from eegdiffusion.core.training.ema_module import EMALightningModule
from eegdiffusion.core.training.local_ddp import LocalDDPStrategy
from eegdiffusion.core.training.memory import keep_freed_memory
from eegdiffusion.core.training.metric_logger import LightningLogger, MetricLogger
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.core.training.training_progress import TrainingProgress


class Curves(Callback):
    """Keeps one row of metrics a round, also across a resumption."""

    def __init__(self):
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: EMALightningModule) -> None:
        """Add the row of the round that ends."""
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items() if not name.endswith("_step")}
        epoch = (trainer.current_epoch + 1) / module.optimisation.validations_per_epoch
        self.rows.append({"step": trainer.global_step, "epoch": epoch, **metrics})

    def state_dict(self) -> dict:
        """Return the rows, which a checkpoint keeps."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take up the rows of a checkpoint."""
        self.rows = state_dict["rows"]


@dataclass(frozen=True)
class Fitted:
    """Outcome of :func:`fit`.

    Attributes:
        curves: one row a round: step, epoch, and every logged metric.
        best_epoch: epoch (possibly fractional) whose weights were kept.
        best_score: its monitored metric.
        resumed: whether the fit went on from a checkpoint.
    """

    curves: list[dict[str, float]]
    best_epoch: float
    best_score: float
    resumed: bool


@contextmanager
def _interruptions_raised(trainer: lightning.Trainer) -> Iterator[None]:
    """Let an interruption (Ctrl-C) be one for callers too; Lightning makes it an exit with status 1."""
    try:
        yield
    except SystemExit as ended:
        if trainer.interrupted:
            raise KeyboardInterrupt from ended
        raise


def fit(
    module: EMALightningModule,
    train: BatchedDataset,
    validation: BatchedDataset,
    *,
    monitor: str,
    mode: Literal["min", "max"],
    hardware: Hardware,
    work: Path,
    logger: MetricLogger | None = None,
) -> Fitted:
    """Fit ``module`` and leave in it the weights, averaged ones included, of the best validation.

    The order of samples and all noise depend on the seed and the round alone, and every round ends with a checkpoint
    in ``work``: a fit that was killed and started again ends with the weights of one that was not, to the last bit on
    a CPU with the same number of threads.

    Args:
        module: the network, its loss and its optimisation.
        train: dataset of the training split.
        validation: dataset of the validation split.
        monitor: validation metric that chooses the best round and stops early.
        mode: whether the smallest or the largest value of the metric is best.
        hardware: devices, precision and loader workers.
        work: folder for checkpoints, from which an interrupted fit goes on.
        logger: takes the metrics; None logs nothing.

    Returns:
        the learning curves, and the round whose weights were kept.

    Raises:
        InputError: the settings ask for GPUs that are not here, or for batches that do not fit the data.
        KeyboardInterrupt: the fit was interrupted; the next one goes on at the last checkpoint.
    """
    require_devices(hardware.accelerator, hardware.devices)
    optimisation = module.optimisation
    rounds = optimisation.validations_per_epoch
    lightning.seed_everything(module.seed, verbose=False)
    keep_freed_memory()
    # Set at all, the number holds: MKL by itself may take fewer threads, and then adds in another order.
    torch.set_num_threads(torch.get_num_threads())
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    curves = Curves()
    checkpoints = ModelCheckpoint(
        dirpath=work,
        filename="best",
        monitor=monitor,
        mode=mode,
        save_last=True,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    checkpoints.FILE_EXTENSION = ".safetensors"
    trainer = lightning.Trainer(
        accelerator=hardware.accelerator,
        devices=hardware.devices,
        num_nodes=hardware.nodes,
        strategy=LocalDDPStrategy() if hardware.devices > 1 and hardware.nodes == 1 else "auto",
        precision=hardware.precision,
        max_epochs=optimisation.max_epochs * rounds,
        accumulate_grad_batches=optimisation.accumulate_batches,
        gradient_clip_val=optimisation.clip_norm,
        use_distributed_sampler=False,
        callbacks=[
            curves,
            DelayedEarlyStopping(monitor, mode, optimisation.patience, optimisation.min_epochs * rounds),
            checkpoints,
            TrainingProgress(monitor),
        ],
        plugins=[SafetensorsCheckpointIO()],
        logger=LightningLogger(logger) if logger else False,
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    last, ended = work / "last.safetensors", work / "ended.json"
    resumed = last.exists()
    pin = trainer.accelerator.__class__.__name__ == "CUDAAccelerator"
    order = ShuffledBatches(
        len(train), optimisation.batch_size, module.seed, rounds, trainer.global_rank, trainer.world_size
    )
    # A checkpoint does not say that training had stopped early, and one more round would follow it.
    if not ended.exists():
        with _interruptions_raised(trainer):
            trainer.fit(
                module,
                loader(train, order, hardware.loader_workers, pin),
                # Every device sees the whole validation split, so that its metrics need no joining.
                loader(
                    validation, BatchesInOrder(len(validation), optimisation.batch_size), hardware.loader_workers, pin
                ),
                ckpt_path=last if resumed else None,
            )
        if trainer.is_global_zero:
            ended.write_text(json.dumps(curves.rows))
    best = SafetensorsCheckpointIO().load_checkpoint(work / "best.safetensors")
    module.load_state_dict(best["state_dict"])
    rows = json.loads(ended.read_text()) if trainer.is_global_zero else curves.rows
    score = (min if mode == "min" else max)(row[monitor] for row in rows)
    return Fitted(rows, (best["epoch"] + 1) / rounds, score, resumed)
