"""Diffusion: schedules and velocity against the public implementation's numbers; loss, forward process, sampling."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from eegdiffusion import SSMDP
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.models.diffusion import SCHEDULES, forward_process, noise_scheduler, sample, velocity_loss

GOLDEN = Path(__file__).parents[1] / "golden/ssmdp_lft_small.safetensors"
STEPS = torch.tensor([0, 10, 49])


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    return load_file(GOLDEN)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_the_public_implementations(golden, name):
    schedule = noise_scheduler(name)
    x, noise = golden["x"], golden[f"noise_{name}"]
    torch.testing.assert_close(schedule.alphas_cumprod, golden[f"alphas_cumprod_{name}"])
    torch.testing.assert_close(schedule.add_noise(x, noise, STEPS), golden[f"noised_{name}"])
    torch.testing.assert_close(schedule.get_velocity(x, noise, STEPS), golden[f"velocity_{name}"])


@pytest.mark.parametrize("name", SCHEDULES)
def test_loss_is_the_error_of_the_velocity(golden, name):
    x, noise, channel = golden["x"], golden[f"noise_{name}"], golden["channel"]
    noised, velocity = golden[f"noised_{name}"], golden[f"velocity_{name}"]
    seen = []

    def model(*inputs):
        seen.append(inputs)
        return velocity + 0.5

    loss = velocity_loss(model, noise_scheduler(name), x, STEPS[:, None], channel, noise)
    assert float(loss) == pytest.approx(0.25, rel=1e-5)
    torch.testing.assert_close(seen[0][0], noised)
    assert torch.equal(seen[0][1], STEPS[:, None])
    assert torch.equal(seen[0][2], channel)


def test_forward_process():
    signals, schedule = torch.randn(4, 22, 50), noise_scheduler()
    assert forward_process(signals, 2, "none", schedule) is signals
    scale = schedule.alphas_cumprod[2].sqrt()
    torch.testing.assert_close(forward_process(signals, 2, "scaled", schedule), scale * signals)
    draws = [forward_process(signals, 2, "random", schedule, torch.Generator().manual_seed(s)) for s in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert (draws[0] - scale * signals).std() == pytest.approx(float((1 - scale**2).sqrt()), rel=0.05)
    with pytest.raises(InputError, match="noise: must be one of none, scaled, random"):
        forward_process(signals, 2, "zero", schedule)


@pytest.fixture
def backbone() -> SSMDP:
    torch.manual_seed(0)
    return SSMDP(d_model=8, d_state=4, n_layer=1, d_cond=8, d_cond_embed=8, n_class=3)


@pytest.mark.parametrize(("sampler", "calls", "last"), [("ddpm", 49, 1), ("ddim", 10, 4)])
def test_sampling_walks_the_steps_and_is_seeded(backbone, sampler, calls, last):
    steps = []
    backbone.register_forward_pre_hook(lambda _, inputs: steps.append(int(inputs[1][0])))
    channel = torch.tensor([[0], [2]])
    draws = [sample(backbone, channel, 60, torch.Generator().manual_seed(s), sampler=sampler) for s in (0, 0, 1)]
    assert steps[:calls] == sorted(steps[:calls], reverse=True)
    assert (len(steps), steps[0], steps[calls - 1]) == (3 * calls, 49, last)
    assert draws[0].shape == (2, 1, 60)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


class _Oracle:
    """Knows the clean signal and predicts its velocity."""

    def __init__(self, clean: torch.Tensor, config):
        self.clean, self.config = clean, config

    def __call__(self, x, step, channel):
        alpha = noise_scheduler().alphas_cumprod[int(step[0])]
        noise = (x - alpha.sqrt() * self.clean) / (1 - alpha).sqrt()
        return alpha.sqrt() * noise - (1 - alpha).sqrt() * self.clean


@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
def test_sampling_recovers_what_the_model_knows_and_clips_on_demand(backbone, sampler):
    clean = torch.linspace(-3, 3, 60).expand(2, 1, 60)
    channel = torch.tensor([[0], [2]])
    for clip, target in ((False, clean), (True, clean.clamp(-1, 1))):
        draw = sample(
            _Oracle(clean, backbone.config), channel, 60, torch.Generator().manual_seed(0), sampler, clip_sample=clip
        )
        if clip:
            assert draw.abs().max() < 1.2
        else:
            torch.testing.assert_close(draw, target, rtol=0, atol=0.2)


def test_refuses():
    with pytest.raises(InputError, match="beta_schedule: must be one of squaredcos_cap_v2, linear"):
        noise_scheduler("cosine")
    with pytest.raises(InputError, match="sampler: must be one of ddpm, ddim"):
        noise_scheduler(sampler="euler")
