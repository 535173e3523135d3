"""EEG-ChannelNet (Palazzo et al., TPAMI 2021, arXiv:1810.10974): dilated temporal, multi-scale spatial convolutions."""

import torch
from torch import Tensor, nn

from eegdiffusion.images.encoders.eeg_encoder import SIZES, EEGEncoder, ResidualBlock


def _layer(inputs: int, outputs: int, kernel, stride=1, padding=0, dilation=1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class EEGChannelNet(EEGEncoder, n_chans=128, n_times=440, n_outputs=40):
    """Temporal convolutions of several dilations, spatial ones of several heights, residual blocks, a classifier.

    Args:
        temporal: number of filters of each temporal convolution, by the published code.
        spatial: number of filters of each spatial convolution, by the published code.
        blocks: number of residual blocks, each followed by a convolution of stride 2.
        width: width of the embedding before the classifier.
    """

    DILATIONS = (1, 2, 4, 8)
    SPATIAL = 4
    """Heights of the spatial convolutions: all electrodes, half, a quarter and an eighth of them."""

    def build(
        self,
        temporal: int = 10,
        spatial: int = 50,
        blocks: int = 4,
        width: int = 1000,
    ) -> None:
        """Make the temporal and spatial convolutions, blocks and classifier; the class says what the options are."""
        n_chans, n_times, n_outputs = (self.config[name] for name in SIZES[:3])
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
            layers.append(ResidualBlock(filters, nn.ReLU, bias=True))
            layers.append(_layer(filters, filters, 3, 2, 1))
            shape = [(size - 1) // 2 + 1 for size in shape]
        self.residual = nn.Sequential(*layers, _layer(filters, spatial, (min(3, shape[0]), min(3, shape[1]))))
        left = [size - min(3, size) + 1 for size in shape]
        self.head = nn.Sequential(nn.Linear(spatial * left[0] * left[1], width), nn.ReLU(), nn.Linear(width, n_outputs))

    def _fix_state_dict_keys_on_load(self, state_dict: dict[str, Tensor]) -> None:
        """Rename weights of encoders saved when a residual block had the parts ``first`` and ``second``."""
        super()._fix_state_dict_keys_on_load(state_dict)
        for name in list(state_dict):
            match name.split("."):
                case ["residual", block, "first" | "second" as part, layer, weight]:
                    position = int(layer) + (3 if part == "second" else 0)
                    state_dict[f"residual.{block}.layers.{position}.{weight}"] = state_dict.pop(name)

    def encode(self, x: Tensor, subject: Tensor | None) -> Tensor:
        """Classify epochs; (B, C, T) -> (B, classes) logits."""
        temporal = torch.cat([layer(x[:, None]) for layer in self.temporal_layers], 1)
        parts = [layer(temporal) for layer in self.spatial_layers]
        rows = min(part.shape[2] for part in parts)
        return self.head(self.residual(torch.cat([part[:, :, :rows] for part in parts], 1)).flatten(1))
