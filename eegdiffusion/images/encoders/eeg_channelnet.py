"""EEG-ChannelNet (Palazzo et al., TPAMI 2021, arXiv:1810.10974): dilated temporal, multi-scale spatial convolutions."""

import torch
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder


def _layer(inputs: int, outputs: int, kernel, stride=1, padding=0, dilation=1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions and a bypass."""

    def __init__(self, filters: int):
        super().__init__()
        self.first = _layer(filters, filters, 3, padding=1)
        self.second = nn.Sequential(nn.Conv2d(filters, filters, 3, padding=1), nn.BatchNorm2d(filters))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(self.first(x)))


class EEGChannelNet(EEGEncoder):
    """Temporal convolutions of several dilations, spatial ones of several heights, residual blocks, a classifier.

    Args:
        n_chans, n_times, n_outputs: electrodes, samples, classes.
        n_subjects, unseen: see :class:`EEGEncoder`.
        temporal, spatial: filters of each convolution, by the published code.
        blocks: residual blocks, each followed by a convolution of stride 2 while the map is larger than that.
        width: of the embedding before the classifier.
    """

    DILATIONS = (1, 2, 4, 8)
    SPATIAL = 4
    """Heights of the spatial convolutions: all electrodes, half, a quarter and an eighth of them."""

    @register_to_config
    def __init__(
        self,
        n_chans: int = 128,
        n_times: int = 440,
        n_outputs: int = 40,
        n_subjects: int = 0,
        unseen: str = "mean",
        temporal: int = 10,
        spatial: int = 50,
        blocks: int = 4,
        width: int = 1000,
    ):
        super().__init__()
        self.take(n_chans, n_subjects, unseen)
        self.temporal_layers = nn.ModuleList(
            _layer(1, temporal, (1, 33), (1, 2), (0, 16 * dilation), (1, dilation)) for dilation in self.DILATIONS
        )
        heights = [max(1, n_chans >> k) for k in range(self.SPATIAL)]
        inputs = temporal * len(self.DILATIONS)
        self.spatial_layers = nn.ModuleList(
            _layer(inputs, spatial, (height, 1), (2, 1), ((height - 1) // 2, 0)) for height in heights
        )
        filters = spatial * self.SPATIAL
        rows = min((n_chans + 2 * ((height - 1) // 2) - height) // 2 + 1 for height in heights)
        shape = [rows, (n_times - 1) // 2 + 1]
        layers: list[nn.Module] = []
        for _ in range(blocks):
            layers.append(ResidualBlock(filters))
            layers.append(_layer(filters, filters, 3, 2, 1))
            shape = [(size - 1) // 2 + 1 for size in shape]
        self.residual = nn.Sequential(*layers, _layer(filters, spatial, (min(3, shape[0]), min(3, shape[1]))))
        left = [size - min(3, size) + 1 for size in shape]
        self.head = nn.Sequential(nn.Linear(spatial * left[0] * left[1], width), nn.ReLU(), nn.Linear(width, n_outputs))

    def encode(self, x: Tensor, subject: Tensor | None) -> Tensor:
        found = torch.cat([layer(x[:, None]) for layer in self.temporal_layers], 1)
        parts = [layer(found) for layer in self.spatial_layers]
        rows = min(part.shape[2] for part in parts)
        return self.head(self.residual(torch.cat([part[:, :, :rows] for part in parts], 1)).flatten(1))
