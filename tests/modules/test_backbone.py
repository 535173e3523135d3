"""The public backbone: the tokens of the library, from anybody's EEG, with gradients."""

import warnings

import pytest
import torch
from peft import LoraConfig, get_peft_model
from scipy.signal import resample_poly

from eegdiffusion import Backbone
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.montage import BIPOLAR
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.modules.token_settings import TokenSettings

LATENTS = Latents(backbone="base", corpus="tuev")


@pytest.fixture(scope="module")
def expected(trained, windows):
    backbone, transform = signal_transform.load(trained / "backbone")
    return signal_transform.tokens(backbone, transform, LATENTS, windows[:3])


def test_tokens_are_the_librarys_to_the_bit_in_its_unit(trained, windows, expected):
    backbone = Backbone.from_pretrained(trained, unit="100 uV")
    with torch.no_grad():
        assert torch.equal(backbone(windows[:3]), expected)


@pytest.mark.parametrize(("unit", "factor"), [("V", 1e-4), ("mV", 0.1), ("uV", 100.0), (2e-5, 5.0)])
def test_units_are_within(trained, windows, expected, unit, factor):
    with torch.no_grad():
        tokens = Backbone.from_pretrained(trained, unit=unit)(windows[:3] * factor)
    assert torch.allclose(tokens, expected, atol=1e-5)


def test_tokens_of_a_gradient_pass_are_the_same(trained, windows, expected):
    assert torch.allclose(Backbone.from_pretrained(trained, unit="100 uV")(windows[:3]), expected, atol=1e-5)


def test_channels_are_conditioned_by_name_in_any_order(trained, windows, expected):
    order = [5, 0, 21]
    with torch.no_grad():
        backbone = Backbone.from_pretrained(trained, ch_names=[f"EEG {BIPOLAR[k]}" for k in order], unit="100 uV")
        assert torch.allclose(backbone(windows[:3, order]), expected[:, :, :, order], atol=1e-6)
        backbone = Backbone.from_pretrained(trained, unit="100 uV")
        named = backbone(windows[:3, order], ch_names=[BIPOLAR[k] for k in order])
        assert torch.allclose(named, expected[:, :, :, order], atol=1e-6)
    assert (backbone.ch_names, backbone.sfreq, backbone.channel_positions) == (BIPOLAR, 200.0, None)


def test_a_channel_without_a_place_is_said_and_is_conditioned_on_the_mean(trained):
    with pytest.warns(UserWarning, match=r"ch_names: 1 of 2 have no place on the head \(ECG\)"):
        backbone = Backbone.from_pretrained(trained, ch_names=["ECG", "Cz"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tokens = backbone(torch.randn(1, 2, 400) * 1e-5)
    assert torch.isfinite(tokens).all()
    weight = backbone.network.label_embed.weight
    expected = backbone.network.condition(1, torch.stack([weight.mean(0), weight[10]])[:, None])
    assert torch.allclose(backbone._conditions(backbone._ids, 1), expected)


@pytest.mark.parametrize(
    ("samples", "sfreq", "seconds"),
    [(360, 120, 3), (1000, 200, 5), (777, 250, 3), (2600, 256, 10), (90, 200, 1), (3, 200, 1)],
)
def test_any_length_at_any_rate(trained, samples, sfreq, seconds):
    backbone = Backbone.from_pretrained(trained, ch_names=["Fp1", "Cz", "O2"], sfreq=sfreq, unit="uV")
    with torch.no_grad():
        tokens = backbone(20 * torch.randn(2, 3, samples))
    assert tokens.shape == (2, 2, seconds, 3, 4)
    assert torch.isfinite(tokens).all()


def test_resampled_signals_have_the_tokens_of_those_at_the_rate_of_training(trained):
    time = torch.arange(1280) / 256
    signals = torch.stack([torch.sin(2 * torch.pi * hz * time) for hz in (3.0, 11.0)])[None]
    at_200 = torch.from_numpy(resample_poly(signals.numpy(), 25, 32, axis=-1).copy()).float()
    with torch.no_grad():
        resampled = Backbone.from_pretrained(trained, ch_names=["Fp1", "Cz"], sfreq=256, unit="100 uV")(signals)
        expected = Backbone.from_pretrained(trained, ch_names=["Fp1", "Cz"], unit="100 uV")(at_200)
    assert torch.allclose(resampled, expected, atol=1e-3)


@pytest.mark.parametrize("signals", [torch.zeros(1, 22, 400), torch.randn(1, 22, 400).clamp(-0.1, 0.1) * 1e-4])
def test_constant_and_clipped_signals_have_finite_tokens_and_gradients(trained, signals):
    backbone = Backbone.from_pretrained(trained)
    signals = signals.clone().requires_grad_()
    tokens = backbone(signals)
    tokens.sum().backward()
    assert torch.isfinite(tokens).all()
    assert torch.isfinite(signals.grad).all()
    assert all(torch.isfinite(w.grad).all() for w in backbone.network.parameters() if w.grad is not None)


def test_frozen_is_a_setting(trained, windows):
    frozen = Backbone.from_pretrained(trained, frozen=True, unit="100 uV")
    assert not any(weight.requires_grad for weight in frozen.parameters())
    assert not frozen(windows[:1]).requires_grad
    given = windows[:1].clone().requires_grad_()
    frozen(given).sum().backward()
    assert given.grad.abs().sum() > 0
    assert Backbone.from_pretrained(trained)(windows[:1]).requires_grad


def test_lora_adapters_change_tokens_and_get_gradients(trained, windows):
    """As PEFT puts them into the linear layers, on either path: with gradients and without."""
    backbone = Backbone.from_pretrained(trained, unit="100 uV")
    with torch.no_grad():
        before = backbone(windows[:1])
    names = ["pre_layer", "linear_next", "cond_linear"]
    adapted = get_peft_model(backbone, LoraConfig(r=2, target_modules=names))
    optimiser = torch.optim.SGD([w for w in adapted.parameters() if w.requires_grad], 1.0)
    for _ in range(2):  # an adapter's second matrix begins at 0, so that its first has no gradient yet
        optimiser.zero_grad()
        adapted(windows[:1]).square().sum().backward()
        optimiser.step()
    adapters = {name: weight for name, weight in adapted.named_parameters() if "lora_" in name}
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in adapters.values())
    assert len(adapters) == 2 * (2 + 1 + 2)
    assert all(weight.grad is None for name, weight in adapted.named_parameters() if "lora_" not in name)
    with torch.no_grad():
        after = adapted(windows[:1])
    assert not torch.allclose(after, before, atol=1e-5)
    assert torch.allclose(adapted(windows[:1]), after, atol=1e-5)


def test_other_latents_are_taken(trained, windows):
    settings = TokenSettings(kind="inter", statistic="mean", step=None, pool_s=0.5, signal_scale=0.9)
    other = Backbone.from_pretrained(trained, unit="100 uV")
    other.tokens = settings
    backbone, transform = signal_transform.load(trained / "backbone")
    latents = Latents(backbone="b", corpus="c", kind="inter", statistic="mean", step=None, pool_s=0.5, codec="float32")
    scaled = signal_transform.tokens(
        backbone,
        signal_transform.SignalTransform(False, 200.0, "100 uV", BIPOLAR),
        latents,
        0.9 * signal_transform.mulaw(windows[:1]),
    )
    with torch.no_grad():
        assert torch.equal(other(windows[:1]), scaled)
    assert transform.mu_law


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"unit": "volt"}, "unit: must be one of V, mV, uV, 100 uV, or the volts in one"),
        ({"unit": -1.0}, "unit: must be one of"),
        ({"sfreq": 0}, "sfreq: must be positive"),
        (
            {"ch_names": ["Cz"], "channel_positions": []},
            "channel_positions: must have a place for each of the 1 channels",
        ),
    ],
)
def test_bad_arguments_are_refused(trained, arguments, message):
    with pytest.raises(InputError, match=message):
        Backbone.from_pretrained(trained, **arguments)


@pytest.mark.parametrize(
    ("signals", "message"),
    [
        (torch.zeros(22, 1000), r"x: must have shape \(batch, 22 channels, samples\)"),
        (torch.zeros(1, 3, 1000), r"found \(1, 3, 1000\)\); ch_names must name each channel"),
        (torch.zeros(1, 22, 1), "x: must be 2 samples or more"),
        (torch.full((1, 22, 400), torch.nan), "x: must be finite"),
    ],
)
def test_bad_signals_are_refused(trained, signals, message):
    with pytest.raises(InputError, match=message):
        Backbone.from_pretrained(trained)(signals)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("kind", "gates", "kind: must be one of gate, filter, inter"),
        ("pool_s", 0.3, "pool_s: must be such that 1000 samples"),
        ("rate_hz", 0, "rate_hz: must be positive"),
        ("numbers", {"x": 22}, "numbers: must be numbers from 0 to 21"),
        ("unit", "dB", "unit: must be one of"),
    ],
)
def test_bad_token_settings_are_refused(field, value, message):
    with pytest.raises(InputError, match=message):
        TokenSettings(**{field: value})
