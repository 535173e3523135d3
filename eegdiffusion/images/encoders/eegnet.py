"""EEGNet (Lawhern et al., Journal of Neural Engineering 2018, arXiv:1611.08024)."""

import torch
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder


def limited(weight: Tensor, norm: float) -> Tensor:
    """Scale each filter down to at most this norm."""
    return torch.renorm(weight, 2, 0, norm)


class EEGNet(EEGEncoder):
    """EEGNet-8,2 by default: temporal filters, a spatial filter of each, a separable convolution, a linear layer.

    Args:
        n_chans, n_times, n_outputs: electrodes, samples, classes.
        n_subjects, unseen: see :class:`EEGEncoder`.
        filters, depth: F1 temporal filters, and D spatial ones to each.
        kernel: of the temporal filters; half a second in the paper.
        dropout: 0.5 within subjects and 0.25 across them in the paper.
    """

    @register_to_config
    def __init__(
        self,
        n_chans: int = 128,
        n_times: int = 440,
        n_outputs: int = 40,
        n_subjects: int = 0,
        unseen: str = "mean",
        filters: int = 8,
        depth: int = 2,
        kernel: int = 64,
        dropout: float = 0.5,
    ):
        super().__init__()
        self.take(n_chans, n_subjects, unseen)
        wide = filters * depth
        self.temporal = nn.Sequential(
            nn.Conv2d(1, filters, (1, kernel), padding="same", bias=False), nn.BatchNorm2d(filters)
        )
        self.spatial = nn.Conv2d(filters, wide, (n_chans, 1), groups=filters, bias=False)
        self.first = nn.Sequential(nn.BatchNorm2d(wide), nn.ELU(), nn.AvgPool2d((1, 4)), nn.Dropout(dropout))
        self.second = nn.Sequential(
            nn.Conv2d(wide, wide, (1, 16), padding="same", groups=wide, bias=False),
            nn.Conv2d(wide, wide, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ELU(),
            nn.AvgPool2d((1, 8)),
            nn.Dropout(dropout),
        )
        self.classifier = nn.Linear(wide * (n_times // 4 // 8), n_outputs)

    def encode(self, x: Tensor, subject: Tensor | None) -> Tensor:
        found = self.temporal(x[:, None])
        found = conv2d(found, limited(self.spatial.weight, 1.0), groups=self.spatial.groups)
        found = self.second(self.first(found)).flatten(1)
        return linear(found, limited(self.classifier.weight, 0.25), self.classifier.bias)
