"""EEGNet (Lawhern et al., Journal of Neural Engineering 2018, arXiv:1611.08024)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

from eegdiffusion.images.encoders.eeg_encoder import SIZES, EEGEncoder


def max_norm(weight: Tensor, norm: float) -> Tensor:
    """Scale each filter (first axis) down to at most this L2 norm, the paper's max-norm constraint."""
    return torch.renorm(weight, 2, 0, norm)


class EEGNet(EEGEncoder, n_chans=128, n_times=440, n_outputs=40):
    """EEGNet-8,2 by default: temporal filters, a spatial filter of each, a separable convolution, a linear layer.

    Args:
        filters: number F1 of temporal filters.
        depth: number D of spatial filters of each temporal one.
        kernel: length of the temporal filters in samples; half a second in the paper.
        dropout: dropout rate; 0.5 within subjects and 0.25 across them in the paper.
    """

    def build(
        self,
        filters: int = 8,
        depth: int = 2,
        kernel: int = 64,
        dropout: float = 0.5,
    ) -> None:
        """Make the convolutions and the classifier; the class says what the options are."""
        n_chans, n_times, n_outputs = (self.config[name] for name in SIZES[:3])
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
        """Classify epochs; (B, C, T) -> (B, classes) logits."""
        features = self.temporal(x[:, None])
        features = conv2d(features, max_norm(self.spatial.weight, 1.0), groups=self.spatial.groups)
        features = self.second(self.first(features)).flatten(1)
        return linear(features, max_norm(self.classifier.weight, 0.25), self.classifier.bias)
