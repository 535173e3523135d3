"""Resampling as a module: gradients pass through it, and it can be exported."""

import math
from fractions import Fraction

import torch
from torch import Tensor, nn
from torch.nn import functional

ZEROS = 10
"""Zero crossings of the filter on either side, as in ``scipy.signal.resample_poly``."""

KAISER_BETA = 5.0
"""Shape of the filter's window, as in ``scipy.signal.resample_poly``."""


class Resampling(nn.Module):
    """Resamples by a polyphase filter, a windowed sinc whose edge is the lower of the two Nyquist frequencies.

    Beyond the ends of a signal there are zeros.

    Args:
        from_hz: sampling rate of the input.
        to_hz: sampling rate of the output; their ratio is taken as a fraction of numbers up to 1000.
    """

    kernel: Tensor

    def __init__(self, from_hz: float, to_hz: float):
        super().__init__()
        ratio = Fraction(to_hz / from_hz).limit_denominator(1000)
        self.up, self.down = ratio.numerator, ratio.denominator
        edge = min(1.0, float(ratio))
        self.pad = math.ceil(ZEROS / edge)
        taps = torch.arange(2 * self.pad + self.down + 1, dtype=torch.float64) - self.pad
        shift = taps - torch.arange(self.up, dtype=torch.float64)[:, None] * self.down / self.up
        inside = (1 - (shift * edge / ZEROS).square()).clamp_min(0)
        kernel = torch.sinc(edge * shift) * torch.i0(KAISER_BETA * inside.sqrt()) * (shift.abs() * edge <= ZEROS)
        kernel = kernel / kernel.sum(1, keepdim=True)
        self.register_buffer("kernel", kernel[:, None].float(), persistent=False)

    def resampled_length(self, samples: int) -> int:
        """Return the number of samples of the output."""
        return samples * self.up // self.down

    def forward(self, signals: Tensor) -> Tensor:
        """Resample (batch, channels, samples); returns (batch, channels, :meth:`resampled_length`)."""
        if self.up == self.down:
            return signals
        batch, channels, samples = signals.shape
        padded = functional.pad(signals, (self.pad, self.pad + self.down))
        phases = functional.conv1d(padded.flatten(0, 1).unsqueeze(1), self.kernel, stride=self.down)
        resampled = phases.transpose(1, 2).flatten(1)[:, : self.resampled_length(samples)]
        return resampled.unflatten(0, (batch, channels))
