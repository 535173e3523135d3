"""Spatiotemporal encoder of EEG epochs: a bidirectional LSTM over time beside convolutions over electrodes."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder, Projection


class TemporalBranch(nn.Module):
    """Bidirectional LSTM over time, its outputs averaged or weighted by attention.

    Args:
        n_chans: number of electrodes.
        hidden: width of the LSTM in each direction.
        layers: number of the LSTM's layers.
        step: number of samples that are averaged into one step.
        attention: whether attention weights the steps, which are averaged otherwise.
        dropout: dropout rate between layers.
    """

    def __init__(self, n_chans: int, hidden: int, layers: int, step: int, attention: bool, dropout: float):
        super().__init__()
        self.pool = nn.AvgPool1d(step, ceil_mode=True)
        between = dropout if layers > 1 else 0.0
        self.lstm = nn.LSTM(n_chans, hidden, layers, batch_first=True, bidirectional=True, dropout=between)
        self.score = (
            nn.Sequential(nn.Linear(2 * hidden, hidden), nn.Tanh(), nn.Linear(hidden, 1)) if attention else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """Compute features of epochs, (B, C, T) -> (B, 2 * hidden)."""
        states, _ = self.lstm(self.pool(x).transpose(1, 2))
        if self.score is None:
            return states.mean(1)
        return (self.score(states).softmax(1) * states).sum(1)


class SpatialBranch(nn.Module):
    """Convolutions over all electrodes, one for each temporal receptive field, averaged in a few parts of the epoch.

    Args:
        n_chans: number of electrodes.
        filters: number of filters of each receptive field.
        kernels: receptive fields in samples.
        parts: number of parts of the epoch over which features are averaged.
        attention: whether electrodes are weighted by what the epoch holds (squeeze and excitation, arXiv:1709.01507).
    """

    def __init__(self, n_chans: int, filters: int, kernels: Sequence[int], parts: int, attention: bool):
        super().__init__()
        narrow = max(4, n_chans // 4)
        self.gate = (
            nn.Sequential(nn.Linear(n_chans, narrow), nn.ReLU(), nn.Linear(narrow, n_chans)) if attention else None
        )
        self.fields = nn.ModuleList(
            nn.Conv1d(n_chans, filters, kernel, padding="same", bias=False) for kernel in kernels
        )
        self.norm = nn.BatchNorm1d(filters * len(kernels))
        self.pool = nn.AdaptiveAvgPool1d(parts)

    def forward(self, x: Tensor) -> Tensor:
        """Compute features of epochs, (B, C, T) -> (B, fields * filters * parts)."""
        if self.gate is not None:
            x = x * (2 * torch.sigmoid(self.gate(x.square().mean(2))))[:, :, None]
        features = self.norm(torch.cat([field(x) for field in self.fields], 1))
        return self.pool(nn.functional.elu(features)).flatten(1)


class SpatioTemporal(EEGEncoder):
    """Two branches, concatenated and projected.

    No sizes of SGDM's encoder are published; these are this project's.

    Args:
        hidden: width of the LSTM, a direction.
        layers: number of the LSTM's layers.
        step: samples that are averaged into one step of the LSTM.
        filters: number of filters of each temporal receptive field.
        kernels: receptive fields in samples; several make the spatial branch multi-scale.
        parts: number of parts of the epoch over which the spatial branch is averaged.
        attention: whether time steps and electrodes are weighted by what the epoch holds.
        dropout: dropout before the projection and in it.
    """

    def build(
        self,
        hidden: int = 256,
        layers: int = 2,
        step: int = 1,
        filters: int = 64,
        kernels: Sequence[int] = (25,),
        parts: int = 8,
        attention: bool = False,
        dropout: float = 0.5,
    ) -> None:
        """Make the two branches and their projection; the class says what the options are."""
        n_chans, n_outputs = self.config["n_chans"], self.config["n_outputs"]
        self.temporal = TemporalBranch(n_chans, hidden, layers, step, attention, dropout)
        self.spatial = SpatialBranch(n_chans, filters, kernels, parts, attention)
        self.drop = nn.Dropout(dropout)
        self.projection = Projection(2 * hidden + len(kernels) * filters * parts, n_outputs, dropout)

    def encode(self, x: Tensor, subject: Tensor | None) -> Tensor:
        """Embed epochs by both branches; (B, C, T) -> (B, outputs)."""
        return self.projection(self.drop(torch.cat([self.temporal(x), self.spatial(x)], 1)))
