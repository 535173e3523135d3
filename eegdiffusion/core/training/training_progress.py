"""Shows how far a training is."""

import lightning
from lightning.pytorch.callbacks import Callback

from eegdiffusion.core.runtime.progress import progress


class TrainingProgress(Callback):
    """One bar for a whole training, in batches, with the last value of the monitored metric.

    Args:
        monitor: name of the metric.
    """

    def __init__(self, monitor: str):
        self._monitor = monitor
        self._bar = progress(disable=True)

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Open the bar, at what an interrupted training had done."""
        batches = int(trainer.num_training_batches)
        self._bar = progress(
            desc="training",
            total=(trainer.max_epochs or 1) * batches,
            unit="batch",
            initial=trainer.current_epoch * batches,
            leave=None,
            disable=not trainer.is_global_zero,
        )

    def on_train_batch_end(self, *_: object, **__: object) -> None:
        """Count the batch."""
        self._bar.update()

    def on_validation_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Show the metric."""
        if self._monitor in trainer.callback_metrics:
            value = float(trainer.callback_metrics[self._monitor])
            self._bar.set_postfix_str(f"{self._monitor} {value:.4g}", refresh=False)

    def on_train_end(self, *_: object) -> None:
        """Close the bar, which early stopping may have left before its end."""
        self._bar.close()

    def on_exception(self, *_: object) -> None:
        """Close the bar."""
        self._bar.close()
