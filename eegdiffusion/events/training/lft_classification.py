"""Training of an LFT on tokens, of all channels or of random subsets of them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.training.classification import Classification
from eegdiffusion.core.training.settings import Optimisation
from eegdiffusion.events.models.lft import LFT
from eegdiffusion.events.training.finetuning_settings import ChannelDropout

CHANNELS = 3
"""Tells the generator of the subsets from those of noise."""


def check_channel_dropout(dropout: ChannelDropout, fusion: str, channels: int) -> None:
    """Check that an LFT can be trained on subsets of channels.

    Args:
        dropout: how they are drawn.
        fusion: how the LFT makes the encoder's tokens of latents.
        channels: number of channels of the montage.

    Raises:
        InputError: the LFT has weights that belong to places in the montage, or the montage has too few channels.
    """
    where = "params.yaml: finetune_lft.channel_dropout"
    if fusion != "cross_attention":
        raise InputError(
            f"{where}: must be null where model.fusion is {fusion!r}, which has a weight for each channel's place"
        )
    if dropout.least > channels:
        raise InputError(
            f"{where}.least: must be at most the {channels} channels of the montage (found {dropout.least}); an entry "
            "of event_tasks may have `training: {channel_dropout: null}`"
        )


def draw_channels(windows: int, channels: int, dropout: ChannelDropout, generator: torch.Generator) -> Tensor:
    """Draw the channels that a step keeps: as many of every window, each window's for itself.

    With the same channels for all windows of a step, its gradient varies more than a short training can stand.

    Args:
        windows: number of windows of the step.
        channels: number of channels of the montage.
        dropout: how many are kept at least, and how often all are.
        generator: determines the draw.

    Returns:
        (windows, kept) int64 positions in the montage, in order.
    """
    if torch.rand((), generator=generator) < dropout.whole:
        return torch.arange(channels).expand(windows, -1)
    kept = int(torch.randint(dropout.least, channels + 1, (), generator=generator))
    return torch.rand((windows, channels), generator=generator).argsort(1)[:, :kept].sort(1).values


class LFTClassification(Classification):
    """An LFT that learns from the tokens of all channels, or of subsets that are drawn for each batch of training.

    The subsets depend on the seed, the round and the batch alone: an interrupted fit goes on with those that it would
    have had. Validation is of all channels.

    Args:
        lft: the classifier.
        optimisation: settings.
        seed: seed of whatever is random in training.
        label_smoothing: label smoothing of the cross-entropy.
        channel_dropout: how subsets are drawn; None: all channels are kept.
        positive_weight: see :func:`.classification_head.classification_loss`.
    """

    def __init__(
        self,
        lft: LFT,
        optimisation: Optimisation,
        seed: int,
        label_smoothing: float,
        channel_dropout: ChannelDropout | None = None,
        positive_weight: float | Sequence[float] = 1.0,
    ):
        super().__init__(lft, optimisation, seed, "tokens", label_smoothing, positive_weight)
        self.channel_dropout = channel_dropout

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the cross-entropy of a batch on the channels that are kept, and log it as ``train_loss``."""
        return super().training_step(batch | {"tokens": self._kept(batch["tokens"], batch_idx)}, batch_idx)

    def _kept(self, tokens: Tensor, batch_idx: int) -> Tensor:
        """Keep some channels of (batch, layers, pools, channels, width) tokens."""
        if self.channel_dropout is None:
            return tokens
        generator = self.generator(CHANNELS, self.current_epoch, batch_idx)
        kept = draw_channels(self.optimisation.batch_size, tokens.shape[3], self.channel_dropout, generator)
        kept = self.local_slice(kept)[: len(tokens), None, None, :, None]
        return tokens.take_along_dim(kept, 3)
