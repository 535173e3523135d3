"""Supervised EEG classifiers that the LFT is compared with: PyHealth's, and a regression on band powers."""

import contextlib
import io
import logging
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.models.band_power_regression import BandPowerRegression

if TYPE_CHECKING:
    from pyhealth.models import BaseModel

PYHEALTH = {"sparcnet": "SparcNet", "contrawr": "ContraWR"}
"""Classes of PyHealth, which takes seconds to load: SPaRCNet (Jing et al., Neurology 2023) and the supervised ContraWR
encoder (Yang et al., arXiv:2110.15278)."""

BAND_POWER = "band_power"
"""Name of the regression on band powers."""

# It would announce the label vocabulary of every model that is built.
logging.getLogger("pyhealth").setLevel(logging.WARNING)


def scale_windows(signals: Tensor) -> Tensor:
    """Divide each channel of each window by the 95th percentile of its absolute value.

    BIOT (Yang et al., arXiv:2305.10351) trains these baselines on TUEV so, and PyHealth's TUEV task offers it as
    ``95th_percentile``. A channel that is zero throughout stays zero. The unit of the signals cancels.

    Args:
        signals: (..., samples).
    """
    return signals / (torch.quantile(signals.abs(), 0.95, dim=-1, keepdim=True) + 1e-8)


class Baseline(nn.Module):
    """A PyHealth model behind the input scaling that it is published with.

    Args:
        model: the model, built for one feature ``signal`` of shape (channels, samples) and one label ``label``.
        channels: channels of a window.
        samples: samples of a window.
    """

    def __init__(self, model: "BaseModel", channels: int, samples: int):
        super().__init__()
        self.model = model
        self.channels, self.samples = channels, samples
        # PyHealth finds its device by an empty parameter, which never gets a gradient; DDP waits for one otherwise.
        self.model._dummy_param.requires_grad_(False)

    def forward(self, signals: Tensor) -> Tensor:
        """Classify windows (batch, channels, samples), in any unit; returns logits (batch, classes)."""
        if signals.shape[1:] != (self.channels, self.samples):
            raise InputError(
                f"signals: must be (batch, {self.channels}, {self.samples}) (found {tuple(signals.shape)})"
            )
        # PyHealth's forward computes its loss as well, and so wants labels; the loss is not used.
        labels = torch.zeros(len(signals), dtype=torch.long, device=signals.device)
        return self.model(signal=scale_windows(signals), label=labels)["logit"]


def build_baseline(name: str, channels: int, samples: int, classes: int, rate_hz: float = 200.0) -> nn.Module:
    """Build a baseline with freshly drawn weights, a network of PyHealth's with its default sizes.

    Args:
        name: ``sparcnet``, ``contrawr`` or ``band_power``.
        channels: channels of a window.
        samples: samples of a window.
        classes: number of classes.
        rate_hz: sampling rate of a window, which band powers need.

    Raises:
        InputError: there is no such baseline.
    """
    if name == BAND_POWER:
        return BandPowerRegression(channels, samples, classes, rate_hz)
    if name not in PYHEALTH:
        raise InputError(f"baseline: must be one of {', '.join((*PYHEALTH, BAND_POWER))} (found {name!r})")
    from pyhealth import models
    from pyhealth.datasets import create_sample_dataset

    # PyHealth reads the sizes of a model off a dataset: one empty window of each class tells them all.
    window = np.zeros((channels, samples), np.float32)
    windows = [{"patient_id": str(label), "signal": window, "label": label} for label in range(classes)]
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = create_sample_dataset(windows, {"signal": "tensor"}, {"label": "multiclass"})
        return Baseline(getattr(models, PYHEALTH[name])(dataset=dataset), channels, samples)
