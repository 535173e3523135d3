"""LFT against the numbers of the public implementation and the loop over pools; ablations, bad input, export."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from eegdiffusion import LFT
from eegdiffusion.core.runtime.errors import InputError
from tests.oracles import naive_lft

GOLDEN = Path(__file__).parents[1] / "golden/ssmdp_lft_small.safetensors"
TINY = {"d_model": 12, "n_layer": 4, "n_pool": 3, "n_channel": 5, "n_fusion": 2, "num_heads": 3, "encoder_blocks": 1}


@pytest.fixture
def tiny() -> LFT:
    torch.manual_seed(0)
    return LFT(**TINY)


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.randn(2, 4, 3, 5, 12, generator=torch.Generator().manual_seed(0))


def _weights(model: LFT) -> dict[str, torch.Tensor]:
    return dict(model.named_parameters())


def test_logits_are_the_public_implementations():
    golden = load_file(GOLDEN)
    model = LFT(d_model=16, n_layer=3, n_fusion=4, num_heads=4, encoder_blocks=2)
    model.load_state_dict(
        {k.removeprefix("lft_weights/"): v for k, v in golden.items() if k.startswith("lft_weights/")}
    )
    logits = model(golden["tokens_gate_std"][:, :, 0, :, 0])
    scale = float(golden["lft_logits"].abs().max())
    torch.testing.assert_close(logits, golden["lft_logits"], rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize("channels", [5, 1, 22])
def test_folded_pools_equal_the_loop_over_pools(tiny, channels):
    tokens = torch.randn(3, 4, 3, channels, 12)
    folded, looped = tiny(tokens), naive_lft(_weights(tiny), tokens, num_heads=3)
    torch.testing.assert_close(folded, looped, rtol=0, atol=1e-5)
    weights, parameters = torch.randn(3, 6), list(tiny.parameters())
    for got, wanted in zip(
        torch.autograd.grad((folded * weights).sum(), parameters),
        torch.autograd.grad((looped * weights).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-4 * max(1e-3, float(wanted.abs().max())))


def test_paper_sizes():
    counts = {
        name: sum(p.numel() for p in LFT(**options).parameters())
        for name, options in {
            "base": {},
            "none": {"fusion": "none", "encoder_blocks": 35},
            "mean": {"fusion": "mean", "encoder_blocks": 35},
            "half": {"layers": list(range(10)), "encoder_blocks": 22},
            "quarter": {"layers": list(range(5)), "encoder_blocks": 28},
        }.items()
    }
    assert counts["base"] == pytest.approx(6.90e6, rel=2e-3)
    assert {name: round(count / 1e6, 1) for name, count in counts.items()} == {
        "base": 6.9, "none": 7.0, "mean": 7.0, "half": 7.0, "quarter": 6.9,
    }  # fmt: skip


def test_layer_subset_sees_only_its_layers(tokens):
    torch.manual_seed(0)
    subset = LFT(**TINY, layers=[1, 3])
    torch.manual_seed(0)
    small = LFT(**TINY | {"n_layer": 2})
    assert torch.equal(subset(tokens), small(tokens[:, [1, 3]]))


@pytest.mark.parametrize("fusion", ["mean", "none"])
def test_other_fusions(tokens, fusion):
    torch.manual_seed(0)
    model = LFT(**TINY, fusion=fusion)
    logits = model(tokens)
    assert logits.shape == (2, 6)
    assert not any(name.startswith("decoder") for name in _weights(model))
    # the mean over layers forgets their order; without fusion the position embedding tells layers apart
    assert torch.allclose(model(tokens.flip(1)), logits, atol=1e-6) == (fusion == "mean")
    # every token counts
    tokens.requires_grad_()
    model(tokens).square().sum().backward()
    assert (tokens.grad.abs().amax(-1) > 0).all()


def test_missing_pools_pass_unprocessed(tiny, tokens):
    whole = tiny.decoder(tokens)
    part = tiny.decoder(tokens[:, :, :2])
    torch.testing.assert_close(part[:, :2], whole[:, :2])
    assert torch.equal(part[:, 2:], tiny.decoder.cls_token[0, :, 2:].expand(2, -1, -1, -1))
    assert torch.equal(tiny(tokens[:, :, :2], missing_pools=True), tiny.classifier(part))


def test_saved_and_loaded(tiny, tokens, tmp_path):
    tiny.save_pretrained(tmp_path)
    assert torch.equal(LFT.from_pretrained(tmp_path)(tokens), tiny(tokens))


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"fusion": "mean"}, {"fusion": "none", "layers": [0, 2]}])
def test_exports_with_any_batch(tokens, options):
    model = LFT(**TINY, **options).eval()
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(model, (tokens,), dynamic_shapes=({0: batch},))
    more = torch.randn(6, 4, 3, 5, 12)
    torch.testing.assert_close(program.module()(more), model(more), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4, 3, 5, 12), "tokens: must have shape (batch, layers, pools, channels, width)"),
        ((2, 3, 3, 5, 12), "tokens: must have 4 layers (found 3)"),
        ((2, 4, 2, 5, 12), "tokens: must have 3 pools (found 2)"),
        ((2, 4, 3, 5, 8), "tokens: must have 12 width (found 8)"),
    ],
)
def test_refuses_tokens(tiny, shape, message):
    with pytest.raises(InputError, match=re.escape(message)):
        tiny(torch.zeros(shape))


def test_refuses_other_channels_where_they_have_places():
    with pytest.raises(InputError, match=re.escape("tokens: must have 5 channels (found 4)")):
        LFT(**TINY, fusion="mean")(torch.zeros(2, 4, 3, 4, 12))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fusion": "sum"}, "fusion: must be one of cross_attention, mean, none (found 'sum')"),
        ({"num_heads": 5}, "num_heads: must divide d_model = 12 (found 5)"),
        ({"layers": [0, 4]}, "layers: must be some of 0..3 (found [0, 4])"),
        ({"layers": []}, "layers: must be some of 0..3 (found [])"),
    ],
)
def test_refuses_options(options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        LFT(**TINY | options)
