"""SSMDP against the numbers of the public implementation and the plain formulas; latents, tokens, bad input, export."""

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from eegdiffusion import SSMDP, pool_latents
from eegdiffusion.core.runtime.errors import InputError
from tests.oracles import naive_ssmdp, naive_tokens

GOLDEN = Path(__file__).parents[1] / "golden/ssmdp_lft_small.safetensors"
TINY = {"d_model": 12, "d_state": 6, "n_layer": 2, "d_cond": 20, "d_cond_embed": 8, "n_class": 5}


def close(found: torch.Tensor, expected: torch.Tensor, tolerance: float = 5e-5) -> None:
    """Agree relative to the largest magnitude."""
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance * float(expected.abs().max()))


def randomise(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Move every parameter off its initial value: SSMDP starts with an output of zero."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return model


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    return load_file(GOLDEN)


@pytest.fixture(scope="module")
def backbone(golden) -> SSMDP:
    with safe_open(GOLDEN, "pt") as file:
        config = json.loads(file.metadata()["config"])
    names = ("d_model", "d_state", "n_layer", "d_cond", "d_cond_embed", "n_class")
    model = SSMDP(**{name: config[name] for name in names})
    model.load_state_dict({k.removeprefix("weights/"): v for k, v in golden.items() if k.startswith("weights/")})
    return model


@pytest.fixture
def tiny() -> SSMDP:
    return randomise(SSMDP(**TINY))


def test_prediction_and_gradients_are_the_public_implementations(golden, backbone):
    backbone.zero_grad()
    prediction = backbone(golden["x"], golden["diffusion_step"], golden["channel"])
    close(prediction, golden["prediction"])
    loss = (prediction * torch.linspace(-1, 1, prediction.shape[-1])).square().mean()
    loss.backward()
    close(loss[None], golden["loss"])
    for name, parameter in backbone.named_parameters():
        close(parameter.grad.norm()[None], golden[f"grad_norms/{name}"], 2e-4)
    with torch.no_grad():
        close(backbone(golden["x"], golden["diffusion_step"], golden["channel"]), golden["prediction"])


@pytest.mark.parametrize("kind", ["gate", "filter", "inter"])
def test_latents_are_the_public_implementations(golden, backbone, kind):
    latents = backbone.latents(golden["multichannel_x"], kind=kind)
    assert latents.shape == (2, 22, 3, 200, 16)
    close(latents.mean(3), golden[f"latents_{kind}_mean_over_time"][:, :, :, 0])
    close(latents.std(3), golden[f"latents_{kind}_std_over_time"][:, :, :, 0])


def test_variants_of_latents_are_the_public_implementations(golden, backbone):
    x = golden["multichannel_x"]
    close(backbone.latents(x, step=3).std(3), golden["latents_gate_std_over_time_step3"][:, :, :, 0])
    resampled = backbone.latents(golden["multichannel_x_rate"], rate=0.9, rate_convention="reference")
    close(resampled.std(3), golden["latents_gate_std_over_time_rate"][:, :, :, 0])
    physical = backbone.latents(golden["multichannel_x_rate"], rate=1 / 0.9)
    close(physical, resampled)


@pytest.mark.parametrize(("kind", "statistic"), [("gate", "std"), ("gate", "mean"), ("filter", "std")])
def test_tokens_are_the_public_implementations(golden, backbone, kind, statistic):
    tokens = backbone.tokens(golden["multichannel_x"], window=40, statistic=statistic, kind=kind)
    close(tokens, golden[f"tokens_{kind}_{statistic}"][:, :, 0, :, 0])


def test_tokens_of_channel_subset_and_long_signal_are_the_public_implementations(golden, backbone):
    tokens = backbone.tokens(golden["subset_x"], window=200, channels=golden["subset_channels"])
    close(tokens, golden["subset_tokens_gate_std"][:, :, 0, :, 0])


@pytest.mark.parametrize(("batch", "length", "rate"), [(3, 61, 1.0), (1, 128, 0.9), (9, 33, 1.25)])
def test_other_sizes_and_rates_follow_the_formulas(tiny, batch, length, rate):
    draw = torch.Generator().manual_seed(length)
    x = torch.randn(batch, 1, length, generator=draw)
    step = torch.randint(50, (batch, 1), generator=draw)
    channel = torch.randint(5, (batch, 1), generator=draw)
    weights = torch.randn(batch, 1, length, generator=draw)
    names, parameters = zip(*tiny.named_parameters(), strict=True)
    expected, _ = naive_ssmdp(dict(zip(names, parameters, strict=True)), x, step, channel, 1 / rate)
    found = tiny(x, step, channel, rate=rate)
    close(found, expected)
    for name, got, wanted in zip(
        names,
        torch.autograd.grad((found * weights).sum(), parameters),
        torch.autograd.grad((expected * weights).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted, rtol=0, atol=2e-4 * float(wanted.abs().max()), msg=name)


def test_tokens_follow_the_formulas(tiny):
    signals = torch.randn(3, 5, 60)
    close(tiny.tokens(signals, window=20), naive_tokens(tiny.state_dict(), signals, 20), 1e-4)


@pytest.mark.parametrize("statistic", ["std", "mean"])
@pytest.mark.parametrize(("length", "part"), [(60, None), (100, 40), (70, 40)])
def test_tokens_are_pooled_latents(tiny, statistic, length, part):
    signals = torch.randn(2, 3, length)
    options = {"channels": [4, 0, 2], "step": [1, 2, 3], "kind": "inter", "rate": 0.9, "part_samples": part}
    latents = tiny.latents(signals, **options)
    assert latents.shape == (2, 3, 2, length, 12)
    tokens = tiny.tokens(signals, window=10, statistic=statistic, **options)
    assert tokens.shape == (2, 2, length // 10, 3, 12)
    close(tokens, pool_latents(latents, 10, statistic))
    reduce = torch.std if statistic == "std" else torch.mean
    close(tokens[1, 0, 2, 1], reduce(latents[1, 1, 0, 20:30], 0))


def test_long_signals_go_through_in_parts_of_five_seconds(tiny):
    signals = torch.randn(1, 5, 1900)
    tokens = tiny.tokens(signals, rate=0.95)
    assert tokens.shape[2] == 10
    close(tokens[:, :, 5:], tiny.tokens(signals[..., 950:], rate=0.95))


def test_reference_convention_drops_what_fills_no_window(tiny):
    signals = torch.randn(1, 5, 950)
    tokens = tiny.tokens(signals, rate=0.95, rate_convention="reference")
    assert tokens.shape[2] == 4
    latents = tiny.latents(signals, rate=0.95, rate_convention="reference")
    close(tokens, pool_latents(latents[:, :, :, :800], 200))


def test_channels_are_independent_of_their_place(tiny):
    signals = torch.randn(2, 5, 40)
    order = [3, 1, 4]
    close(tiny.tokens(signals[:, order], window=20, channels=order), tiny.tokens(signals, window=20)[:, :, :, order])


def test_step_can_be_left_out(tiny):
    signals = torch.randn(1, 5, 40)
    without = tiny.latents(signals, step=None)
    with torch.no_grad():
        for parameter in tiny.t_embed_in.parameters():
            parameter.zero_()
    close(without, tiny.latents(signals, step=1))


def test_predictions_without_gradients_follow_the_weights(tiny):
    inputs = (torch.randn(2, 1, 40), torch.tensor([[3], [9]]), torch.tensor([[0], [4]]))
    for seed in range(3):
        randomise(tiny, seed)
        with torch.no_grad():
            frozen = tiny(*inputs)
        close(frozen, tiny(*inputs))


def test_first_prediction_is_zero_and_seeds_decide():
    inputs = (torch.randn(2, 1, 40), torch.tensor([[3], [9]]), torch.tensor([[0], [4]]))
    models = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        models.append(SSMDP(**TINY))
    assert torch.equal(models[0](*inputs), torch.zeros(2, 1, 40))
    latents = [model.latents(torch.ones(1, 5, 40).cumsum(-1)) for model in models]
    assert torch.equal(latents[0], latents[1])
    assert not torch.allclose(latents[0], latents[2])


def test_paper_size():
    assert sum(p.numel() for p in SSMDP().parameters()) == pytest.approx(5.93e6, rel=1e-3)


def test_saved_and_loaded(tiny, tmp_path):
    tiny.save_pretrained(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"config.json", "diffusion_pytorch_model.safetensors"}
    loaded = SSMDP.from_pretrained(tmp_path)
    signals = torch.randn(1, 5, 40)
    assert torch.equal(loaded.tokens(signals, window=20), tiny.tokens(signals, window=20))
    assert loaded.config.n_class == 5


@pytest.mark.slow
def test_exports_with_any_batch(tiny):
    inputs = (torch.randn(2, 1, 64), torch.tensor([[3], [9]]), torch.tensor([[0], [4]]))
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(tiny.eval(), inputs, dynamic_shapes=({0: batch},) * 3)
    more = (torch.randn(7, 1, 64), torch.randint(50, (7, 1)), torch.randint(5, (7, 1)))
    close(program.module()(*more), tiny(*more))


@pytest.mark.slow
def test_compiles_without_a_graph_break(tiny):
    inputs = (torch.randn(2, 1, 64), torch.tensor([[3], [9]]), torch.tensor([[0], [4]]))
    compiled = torch.compile(tiny, backend="aot_eager", fullgraph=True)
    parameters = list(tiny.parameters())
    gradients = [torch.autograd.grad(model(*inputs).square().sum(), parameters) for model in (compiled, tiny)]
    for got, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-5 * max(1, float(wanted.abs().max())))


def test_autocast_trains(tiny):
    with torch.autocast("cpu", torch.bfloat16):
        prediction = tiny(torch.randn(2, 1, 40), torch.tensor([[3], [9]]), torch.tensor([[0], [4]]))
    prediction.float().square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in tiny.parameters())
    assert tiny.layers[0].layer.kernel.C.grad.dtype == torch.float32


def _nan(*shape: int) -> torch.Tensor:
    values = torch.zeros(shape)
    values.view(-1)[3] = torch.nan
    return values


X, STEP, CHANNEL = torch.zeros(2, 1, 40), torch.zeros(2, 1, dtype=torch.long), torch.ones(2, 1, dtype=torch.long)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(2, 40), STEP, CHANNEL), "x: must have shape (batch, 1, samples) (found (2, 40))"),
        ((torch.zeros(2, 3, 40), STEP, CHANNEL), "x: must have shape (batch, 1, samples) (found (2, 3, 40))"),
        ((X, STEP[:, 0], CHANNEL), "step: must have shape (batch, 1)"),
        ((X, STEP, CHANNEL[:1]), "channel: must have shape (batch, 1)"),
        ((X, STEP + 50, CHANNEL), "step: must lie in 0..49 (found 50..50)"),
        ((X, STEP, CHANNEL - 2), "channel: must lie in 0..4 (found -1..-1)"),
        ((_nan(2, 1, 40), STEP, CHANNEL), "x: must be finite"),
    ],
)
def test_forward_refuses(tiny, arguments, message):
    with pytest.raises(InputError, match=re.escape(message)):
        tiny(*arguments)


@pytest.mark.parametrize(
    ("signals", "options", "message"),
    [
        (torch.zeros(5, 40), {}, "signals: must have shape (batch, channels, samples) (found (5, 40))"),
        (torch.zeros(0, 5, 40), {}, "signals: must have shape"),
        (_nan(1, 5, 40), {}, "signals: must be finite"),
        (torch.zeros(1, 4, 40), {}, "channels: must hold an integer for each of the 4 channels (found 5)"),
        (torch.zeros(1, 2, 40), {"channels": [0, 5]}, "channels: must lie in 0..4 (found 0..5)"),
        (torch.zeros(1, 5, 40), {"step": 50}, "step: must lie in 0..49 (found 50..50)"),
        (torch.zeros(1, 5, 40), {"step": [1, 2]}, "step: must hold an integer for each of the 5 channels (found 2)"),
        (torch.zeros(1, 5, 40), {"kind": "output"}, "kind: must be one of gate, filter, inter (found 'output')"),
        (torch.zeros(1, 5, 40), {"rate": 0}, "rate: must be positive (found 0)"),
        (torch.zeros(1, 5, 40), {"rate_convention": "inverse"}, "rate_convention: must be one of physical, reference"),
        (torch.zeros(1, 5, 40), {"part_samples": 0}, "part_samples: must be at least 1 sample (found 0)"),
        (torch.zeros(1, 5, 40), {"window": 15}, "window: signals in parts of 40 samples must be a multiple"),
        (torch.zeros(1, 5, 40), {"window": 1}, "window: must be at least 1 sample, 2 for std (found 1)"),
        (torch.zeros(1, 5, 40), {"statistic": "max"}, "statistic: must be one of std, mean (found 'max')"),
        (torch.zeros(1, 5, 40), {"rate_convention": "reference", "window": 50}, "window: signals in parts of 40"),
    ],
)
def test_tokens_refuse(tiny, signals, options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        tiny.tokens(signals, **({"window": 20} | options))


def test_pool_latents_refuses(tiny):
    latents = torch.zeros(1, 5, 2, 40, 12)
    with pytest.raises(InputError, match="latents of 40 samples must be a multiple of the window \\(found 15\\)"):
        pool_latents(latents, 15)
    with pytest.raises(InputError, match="latents: must have shape"):
        pool_latents(latents[0], 20)


def test_constant_and_clipped_channels_are_named(tiny):
    signals = torch.randn(2, tiny.config.n_class, 200, generator=torch.Generator().manual_seed(5))
    tiny.tokens(signals, window=20)
    flat = signals.clone()
    flat[1, 2] = 0.25
    with pytest.raises(InputError, match=r"signals: every channel must vary \(found constant: 2\)"):
        tiny.tokens(flat, window=20)
    railed = signals.clone()
    railed[0, 3].clamp_(-1, 1)
    with pytest.raises(InputError, match=r"signals: every channel must have at most 5% .*\(found clipped: 3\)"):
        tiny.latents(railed)
    tiny.tokens(flat, window=20, check=False)


def _pooled(model, signals, **options):
    ids = torch.arange(model.sizes.n_class).repeat(len(signals))[:, None]
    conditions = model.condition(1, model.label_embed(ids))
    return model.pooled(signals, conditions, 200, "std", "gate", **options)


def test_pooled_latents_are_the_tokens_and_let_gradients_through(tiny):
    signals = torch.randn(2, tiny.sizes.n_class, 1400, generator=torch.Generator().manual_seed(5))
    expected = tiny.tokens(signals)
    with torch.no_grad():
        assert torch.equal(_pooled(tiny, signals), expected)
    given = signals.clone().requires_grad_()
    pooled = _pooled(tiny, given)
    assert torch.allclose(pooled, expected, atol=1e-6)
    pooled.square().sum().backward()
    assert given.grad.abs().sum(-1).min() > 0
    without = {name for name, weight in tiny.named_parameters() if weight.grad is None or not weight.grad.any()}
    last = f"layers.{tiny.sizes.n_layer - 1}"
    later = ("out_layer", *(f"layers.{k}.linear_skip" for k in range(tiny.sizes.n_layer)), f"{last}.linear_next")
    assert not {name for name in without if not name.startswith(later)}


def test_a_layer_that_is_wrapped_is_called(tiny):
    """As adapters (LoRA) and hooks do; the fused products read the weights alone."""
    signals = torch.randn(1, tiny.sizes.n_class, 200, generator=torch.Generator().manual_seed(5))
    expected = tiny.tokens(signals)
    for name in ("pre_layer", "cond_linear", "linear_next"):
        handle = getattr(tiny.layers[0], name).register_forward_hook(lambda module, inputs, output: output)
        assert torch.allclose(tiny.tokens(signals), expected, atol=1e-6), name
        handle.remove()
        handle = getattr(tiny.layers[0], name).register_forward_hook(lambda module, inputs, output: 2 * output)
        assert not torch.allclose(tiny.tokens(signals), expected, atol=1e-3), name
        handle.remove()
