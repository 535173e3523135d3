"""Tokens whose noise is drawn anew at every pass, so that no cache can hold them."""

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.training.classification_head import class_probabilities
from eegdiffusion.core.training.inference import batched
from eegdiffusion.core.training.settings import Optimisation
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.models.lft import LFT
from eegdiffusion.events.store.distinct_labels import distinct_labels
from eegdiffusion.events.store.window_store import EventWindows
from eegdiffusion.events.training.finetuning_settings import ChannelDropout
from eegdiffusion.events.training.lft_classification import LFTClassification

TRAINING, VALIDATION, TEST = 0, 1, 2


class DrawnTokens:
    """Windows of a split, as a dataset, and the frozen backbone that makes noisy tokens of them when asked.

    Args:
        windows: event windows of a split.
        labels: (windows,) int64, 0-based; windows whose label is below 0 are left out.
        backbone: folder of the frozen backbone.
        latents: which latents; their ``noise`` is ``random``.
        channels: number of each channel of the windows, which conditions the backbone.

    Attributes:
        labels: (windows,) int64, 0-based, of the windows that are left; (windows, classes) of 0 and 1 where these are
            distinct windows.
        network: the backbone, in evaluation mode.
    """

    def __init__(
        self, windows: EventWindows, labels: np.ndarray, backbone: Path, latents: Latents, channels: Sequence[int]
    ):
        if latents.noise != "random":
            raise InputError(f"noise: must be random where tokens are drawn anew (found {latents.noise!r})")
        self._windows, self._path, self.latents = windows, backbone, latents
        self._rows = np.flatnonzero(labels >= 0)
        self.labels = labels[self._rows]
        self._channels = channels
        self.network, self._transform = signal_transform.load(backbone)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one window's tokens: (layers, pools, channels, width)."""
        return tuple(self.draw(torch.from_numpy(self.__getitems__([0])["signal"]), torch.Generator()).shape[1:])

    def relabelled(self, labels: np.ndarray) -> "DrawnTokens":
        """Return the same windows under other labels, (windows,) int64, without those whose label is below 0."""
        of_all = np.full(len(self._windows), -1, np.int64)
        of_all[self._rows] = labels
        return DrawnTokens(self._windows, of_all, self._path, self.latents, self._channels)

    def merged(self, labels: np.ndarray, classes: int) -> "DrawnTokens":
        """Return each distinct window once, with the set of its rows' labels.

        Args:
            labels: (windows,) int64, 0-based, below 0 for rows that count for nothing.
            classes: number of classes.
        """
        first, window_of_row = self._windows.distinct()
        other = copy.copy(self)
        windows, other.labels = distinct_labels(window_of_row[self._rows], labels, classes)
        other._rows = first[windows]
        return other

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        """Read windows: ``signal`` (batch, channels, samples) float32 in 100 uV, and ``label``, int64."""
        rows = self._rows[indices].tolist()
        return {"signal": self._windows.__getitems__(rows)["signal"], "label": self.labels[indices]}

    @torch.no_grad()
    def draw(self, signals: Tensor, generator: torch.Generator) -> Tensor:
        """Make the tokens of signals (batch, channels, samples), with noise from the generator.

        Returns:
            (batch, layers, pools, channels, width) float32, on the signals' device.
        """
        return signal_transform.tokens(
            self.network, self._transform, self.latents, signals, generator, self._channels, check=False
        )


class DrawnTokensClassification(LFTClassification):
    """A classifier of tokens whose noise is drawn anew for every batch of training and of validation.

    The noise depends on the seed, the round, the batch and the device alone: an interrupted fit goes on with the noise
    that it would have had.

    Args:
        lft: the classifier.
        optimisation: settings.
        seed: seed of whatever is random in training.
        tokens: makes the tokens of the batches.
        label_smoothing: label smoothing of the cross-entropy.
        channel_dropout: how the channels that a step keeps are drawn; None: all are kept.
        positive_weight: see :func:`.classification_head.classification_loss`.
    """

    def __init__(
        self,
        lft: LFT,
        optimisation: Optimisation,
        seed: int,
        tokens: DrawnTokens,
        label_smoothing: float,
        channel_dropout: ChannelDropout | None = None,
        positive_weight: float | Sequence[float] = 1.0,
    ):
        super().__init__(lft, optimisation, seed, label_smoothing, channel_dropout, positive_weight)
        self._tokens = (tokens,)  # in a tuple, as the backbone is no part of what is trained and written
        self.hold_frozen(tokens.network)

    def _drawn(self, batch: dict[str, Tensor], *key: int) -> dict[str, Tensor]:
        generator = self.generator(*key, self.current_epoch, self.global_rank)
        return {"tokens": self._tokens[0].draw(batch["signal"], generator), "label": batch["label"]}

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the cross-entropy of a batch under fresh noise, and log it as ``train_loss``."""
        return super().training_step(self._drawn(batch, TRAINING, batch_idx), batch_idx)

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Keep the logits of a batch under fresh noise and the averaged weights, and its labels."""
        super().validation_step(self._drawn(batch, VALIDATION, batch_idx), batch_idx)


def drawn_probabilities(lft: LFT, tokens: DrawnTokens, batch_size: int, device: torch.device, seed: int) -> Tensor:
    """Classify a whole split in order, with noise that the seed determines.

    Returns:
        (windows, classes) float32 on the CPU, rows summing to 1 unless windows are of several classes.
    """
    lft, generator = lft.to(device).eval(), torch.Generator().manual_seed(seed + (TEST << 32))
    tokens.network.to(device)
    return batched(
        lambda batch: class_probabilities(lft(tokens.draw(batch["signal"], generator)), tokens.labels.ndim == 2),
        tokens,
        batch_size,
        device,
    )
