import numpy as np
import pytest
import torch

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.models.baselines import BASELINES, build_baseline


@pytest.mark.parametrize("name", BASELINES)
def test_logits_and_gradients(name):
    torch.manual_seed(0)
    model = build_baseline(name, channels=22, samples=1000, classes=6)
    logits = model(torch.randn(4, 22, 1000))
    assert logits.shape == (4, 6)
    logits.square().sum().backward()
    trained = [p for p in model.parameters() if p.numel()]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in trained)


@pytest.mark.parametrize("name", BASELINES)
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
    counted = {name: sum(p.numel() for p in build_baseline(name, 22, 1000, 6).parameters()) for name in BASELINES}
    assert counted == {"sparcnet": 992875, "contrawr": 99558}
    assert not capsys.readouterr().out
    assert np.all(list(counted.values()))
