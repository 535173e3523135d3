"""Resampling against SciPy's polyphase filter, and against sines."""

import numpy as np
import pytest
import torch
from scipy.signal import resample_poly

from eegdiffusion.modules.resampling import Resampling


@pytest.mark.parametrize(
    ("from_hz", "up", "down"), [(256, 25, 32), (250, 4, 5), (120, 5, 3), (512, 25, 64), (199.5, 400, 399), (100, 2, 1)]
)
def test_it_is_scipys(from_hz, up, down):
    signals = np.random.default_rng(0).standard_normal((2, 3, 1000))
    module = Resampling(from_hz, 200.0)
    assert (module.up, module.down) == (up, down)
    resampled = module(torch.from_numpy(signals).float()).numpy()
    expected = resample_poly(signals, up, down, axis=-1)[..., : resampled.shape[-1]]
    assert resampled.shape[-1] == module.resampled_length(1000) == 1000 * up // down
    assert np.abs(resampled - expected).max() < 2e-3 * np.abs(expected).max()


def test_a_sine_stays_and_what_is_above_the_new_nyquist_frequency_goes():
    time = torch.arange(2048, dtype=torch.float64) / 512
    sines = torch.stack([torch.sin(2 * torch.pi * hz * time) for hz in (10, 60, 180)]).float()[None]
    resampled = Resampling(512, 200)(sines)[0]
    at = torch.arange(resampled.shape[-1], dtype=torch.float64) / 200
    inside = slice(50, -50)
    for row, hz in enumerate((10, 60)):
        expected = torch.sin(2 * torch.pi * hz * at).float()
        assert (resampled[row] - expected)[inside].abs().max() < 5e-3
    assert resampled[2][inside].abs().max() < 5e-3


def test_the_same_rate_changes_nothing_and_gradients_pass():
    signals = torch.randn(1, 2, 300)
    assert Resampling(200.0, 200.0)(signals) is signals
    given = torch.randn(1, 2, 300, dtype=torch.float32, requires_grad=True)
    Resampling(256.0, 200.0)(given).square().sum().backward()
    assert given.grad.abs().min() > 0
