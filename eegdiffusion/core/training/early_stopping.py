"""Early stopping that begins to watch after a number of rounds."""

from typing import Literal

import lightning
from lightning.pytorch.callbacks import EarlyStopping


class DelayedEarlyStopping(EarlyStopping):
    """Stops a fit whose metric has not improved for some rounds, and does not look at the first rounds at all.

    Rounds before the watch neither count as best nor use up patience, as in EEGDM's training (arXiv:2508.14086, after
    epoch 20): a plateau among them ends nothing, nor is a high value among them what later rounds have to exceed. With
    Lightning's ``min_epochs`` both would be the case.

    Args:
        monitor: metric that is watched.
        mode: whether the smallest or the largest value is best.
        patience: rounds without improvement after which the fit ends.
        first_round: number of rounds that are not watched.
    """

    def __init__(self, monitor: str, mode: Literal["min", "max"], patience: int, first_round: int):
        super().__init__(monitor=monitor, mode=mode, patience=patience, check_on_train_epoch_end=True)
        self.first_round = first_round

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Compare the metric with the best, in a round that is watched."""
        if trainer.current_epoch >= self.first_round:
            super().on_train_epoch_end(trainer, pl_module)
