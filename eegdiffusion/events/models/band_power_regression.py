"""Logistic regression on band powers: the oldest features of EEG, without which no network should be judged."""

import torch
from torch import Tensor, nn

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.spectra import BANDS

SEGMENT_S = 1.0
"""Length of the segments whose powers are features."""

SMALLEST = 1e-10
"""Power that is added before the logarithm, for a channel that is zero throughout."""


class BandPowerRegression(nn.Module):
    """Multinomial logistic regression on the logarithm of band powers, channel by channel and second by second.

    Powers are those of Hann-windowed segments in delta, theta, alpha, beta and gamma; each feature is standardised by
    its mean and variance over the training windows, which batch normalisation keeps.

    Args:
        channels: channels of a window.
        samples: samples of a window.
        classes: number of classes.
        rate_hz: sampling rate of the windows.

    Raises:
        InputError: a window is shorter than a segment.
    """

    masks: Tensor
    taper: Tensor

    def __init__(self, channels: int, samples: int, classes: int, rate_hz: float):
        super().__init__()
        self.channels, self.samples = channels, samples
        self.segment = round(SEGMENT_S * rate_hz)
        self.segments = samples // self.segment if self.segment else 0
        if not self.segments:
            raise InputError(f"samples: must be {self.segment} or more, {SEGMENT_S:g} s (found {samples})")
        frequencies = torch.fft.rfftfreq(self.segment, 1 / rate_hz)
        masks = torch.stack([(frequencies >= low) & (frequencies <= high) for low, high in BANDS.values()])
        self.register_buffer("masks", masks.float(), persistent=False)
        self.register_buffer("taper", torch.hann_window(self.segment), persistent=False)
        features = channels * self.segments * len(BANDS)
        # Over all batches alike: a moving average would begin at 0, which is no mean of logarithms.
        self.scale = nn.BatchNorm1d(features, affine=False, momentum=None)
        self.linear = nn.Linear(features, classes)

    def features(self, signals: Tensor) -> Tensor:
        """Compute log10 powers (batch, channels * segments * bands) of windows (batch, channels, samples)."""
        cut = signals[..., : self.segments * self.segment].unflatten(-1, (self.segments, self.segment))
        power = torch.fft.rfft((cut - cut.mean(-1, keepdim=True)) * self.taper).abs().square()
        return torch.log10(power @ self.masks.T + SMALLEST).flatten(1)

    def forward(self, signals: Tensor) -> Tensor:
        """Classify windows (batch, channels, samples), in the unit of the training's; returns logits."""
        if signals.shape[1:] != (self.channels, self.samples):
            raise InputError(
                f"signals: must be (batch, {self.channels}, {self.samples}) (found {tuple(signals.shape)})"
            )
        return self.linear(self.scale(self.features(signals.float())))
