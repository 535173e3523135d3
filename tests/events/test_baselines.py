import numpy as np
import pytest
import scipy.signal
import torch

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.training.settings import EMASettings, Optimiser, stopping_after
from eegdiffusion.events.models.baselines import PYHEALTH, build_baseline


@pytest.mark.parametrize("name", PYHEALTH)
def test_logits_and_gradients(name):
    torch.manual_seed(0)
    model = build_baseline(name, channels=22, samples=1000, classes=6)
    logits = model(torch.randn(4, 22, 1000))
    assert logits.shape == (4, 6)
    logits.square().sum().backward()
    trained = [p for p in model.parameters() if p.numel()]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in trained)


@pytest.mark.parametrize("name", PYHEALTH)
def test_the_unit_does_not_matter_and_weights_round_trip(name):
    torch.manual_seed(0)
    model, other = (build_baseline(name, 5, 512, 3).eval() for _ in range(2))
    windows = torch.randn(2, 5, 512)
    assert torch.allclose(model(windows), model(100 * windows), atol=1e-4)
    assert not torch.allclose(model(windows), other(windows))
    other.load_state_dict(model.state_dict())
    assert torch.equal(model(windows), other(windows))


def test_a_constant_channel_gives_finite_logits():
    windows = torch.randn(2, 5, 512)
    windows[:, 2] = 0
    assert torch.isfinite(build_baseline("contrawr", 5, 512, 3).eval()(windows)).all()


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match=r"baseline.*sparcnet.*'other'"):
        build_baseline("other", 22, 1000, 6)


def test_sizes_are_pyhealths(capsys):
    counted = {name: sum(p.numel() for p in build_baseline(name, 22, 1000, 6).parameters()) for name in PYHEALTH}
    assert counted == {"sparcnet": 992875, "contrawr": 99558}
    assert not capsys.readouterr().out
    assert np.all(list(counted.values()))


def test_band_powers_are_those_of_scipy():
    draw = np.random.default_rng(0)
    windows = draw.standard_normal((3, 4, 1000)).astype(np.float32)
    model = build_baseline("band_power", 4, 1000, 6, rate_hz=200.0)
    features = model.features(torch.from_numpy(windows)).reshape(3, 4, 5, 5)
    frequencies, power = scipy.signal.periodogram(
        windows.reshape(3, 4, 5, 200),
        200.0,
        window="hann",
        detrend="constant",
        scaling="density",
        return_onesided=False,
    )
    scale = 200.0 * np.square(scipy.signal.get_window("hann", 200)).sum()
    alpha = (frequencies >= 8) & (frequencies <= 13)
    assert features[..., 2].numpy() == pytest.approx(np.log10(power[..., alpha].sum(-1) * scale), abs=1e-3)


def test_band_powers_tell_rhythms_apart_and_survive_a_flat_channel():
    draw, rate = torch.Generator().manual_seed(0), 200.0
    time, labels = torch.arange(1000) / rate, torch.arange(120) % 3
    windows = torch.randn(120, 4, 1000, generator=draw)
    windows[:, 1] += 3 * torch.sin(2 * torch.pi * torch.tensor([2.0, 10.0, 20.0])[labels, None] * time)
    windows[:, 3] = 0
    model = build_baseline("band_power", 4, 1000, 3, rate_hz=rate)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    for _ in range(40):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(windows[:60]), labels[:60]).backward()
        optimiser.step()
    assert (model.eval()(windows[60:]).argmax(1) == labels[60:]).float().mean() > 0.95


def test_a_window_shorter_than_a_segment_is_refused():
    with pytest.raises(InputError, match="200 or more"):
        build_baseline("band_power", 4, 150, 3, rate_hz=200.0)


def test_baselines_stop_by_the_lfts_rule_and_keep_their_own_optimiser():
    own = Optimiser(batch_size=32, learning_rate=1e-3, weight_decay=1e-5, ema=EMASettings(beta=0.9))
    joined = stopping_after(own, max_epochs=24, min_epochs=8, patience=4)
    assert (joined.max_epochs, joined.min_epochs, joined.patience) == (24, 8, 4)
    assert (joined.batch_size, joined.learning_rate, joined.ema) == (32, 1e-3, EMASettings(beta=0.9))
