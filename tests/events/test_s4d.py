"""S4D: the blocked real kernel, the convolution and the spectra that a frozen backbone keeps."""

import copy
import math

import pytest
import torch

from eegdiffusion.events.models.s4d import S4D, Spectra, fft_length, gated_convolution, gates, s4d_kernel
from tests.oracles import naive_kernel


def _parameters(channels: int, states: int, directions: int, dtype=torch.float64) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(channels * 100 + states)
    shapes = {"A_real": (channels, states), "A_imag": (channels, states)}
    log_dt = torch.empty(channels, 1, dtype=dtype).uniform_(-6.9, -2.3, generator=draw)
    a = [torch.randn(shape, generator=draw, dtype=dtype) for shape in shapes.values()]
    b = torch.randn(1, channels, states, 2, generator=draw, dtype=dtype)
    c = torch.randn(directions, channels, states, 2, generator=draw, dtype=dtype)
    return [p.requires_grad_() for p in (log_dt, a[0], 10 * a[1].detach(), b, c)]


@pytest.mark.parametrize(
    ("channels", "states", "directions", "length", "factor"),
    [(6, 4, 2, 200, 1.0), (5, 3, 2, 97, 0.9), (4, 8, 1, 1, 1.0), (3, 1, 2, 2, 1.25), (2, 5, 2, 1000, 1 / 0.95)],
)
def test_kernel_and_gradients_equal_the_vandermonde_product(channels, states, directions, length, factor):
    parameters = _parameters(channels, states, directions)
    weights = torch.randn(channels, directions, length, dtype=torch.float64)
    results = []
    for function in (s4d_kernel, naive_kernel):
        kernel = function(*parameters, length, factor)
        results.append((kernel, *torch.autograd.grad((kernel * weights).sum(), parameters)))
    for fast, plain in zip(*results, strict=True):
        torch.testing.assert_close(fast, plain, rtol=1e-9, atol=1e-9 * float(plain.detach().abs().max()))


@torch.no_grad()
def test_float32_kernel_is_as_exact_as_the_naive_one():
    layer = S4D(64, 64)
    exact = naive_kernel(*(p.double() for p in layer.kernel.parameters()), 1000)
    errors = [
        float((function(*layer.kernel.parameters(), 1000) - exact).abs().max())
        for function in (s4d_kernel, naive_kernel)
    ]
    assert errors[0] < 2 * errors[1]
    assert errors[0] < 2e-5 * float(exact.abs().max())


@torch.no_grad()
def test_diag_lin_initialisation():
    kernel = S4D(4000, 8).kernel
    torch.testing.assert_close(-kernel.A_real.exp(), torch.full((4000, 8), -0.5))
    torch.testing.assert_close(kernel.A_imag[7], torch.pi * torch.arange(8.0))
    torch.testing.assert_close(kernel.B[0, 3, 5], torch.tensor([1.0, 0.0]))
    assert kernel.C.square().sum(-1).mean() == pytest.approx(1, abs=0.02)
    assert kernel.inv_dt.exp().min() >= 1e-3
    assert kernel.inv_dt.exp().max() <= 1e-1
    assert kernel.inv_dt.mean() == pytest.approx(math.log(1e-2), abs=0.1)


@pytest.mark.parametrize("length", [1, 7, 200, 950, 1000, 1009])
def test_fft_length_is_long_enough_and_smooth(length):
    n = fft_length(length)
    odd = n // (n & -n)
    assert 2 * length <= n <= 2.5 * length
    assert odd in (1, 3, 5, 9, 15)


def _direct(signal: torch.Tensor, layer: S4D, factor: float) -> torch.Tensor:
    """Sum over lags, sample by sample."""
    length = signal.shape[-1]
    forward, backward = naive_kernel(*layer.kernel.parameters(), length, factor).unbind(1)
    lags = torch.arange(length)[:, None] - torch.arange(length)
    matrix = torch.where(lags >= 0, forward[:, lags.clamp(min=0)], backward[:, (-lags - 1).clamp(min=0)])
    return torch.einsum("htu,bhu->bht", matrix, signal) + layer.D.transpose(0, 1) * signal


@pytest.mark.parametrize(("batch", "length", "factor"), [(3, 61, 1.0), (2, 64, 0.9)])
def test_gated_convolution_and_gradients(batch, length, factor):
    torch.manual_seed(0)
    layer = S4D(8, 6).double()
    signal = torch.randn(batch, 8, length, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(batch, 4, length, dtype=torch.float64)
    inputs = [signal, *layer.parameters()]

    gate, filtered = _direct(signal, layer, factor).chunk(2, dim=1)
    plain = torch.sigmoid(gate) * torch.tanh(filtered)
    expected = torch.autograd.grad((plain * weights).sum(), inputs)

    # float32 in the middle: the convolution's own precision whatever comes in
    inter = gated_convolution(signal, layer.float().response(length, factor))
    found = torch.autograd.grad((inter * weights).sum(), [signal, *layer.parameters()])
    assert inter.dtype == torch.float32
    torch.testing.assert_close(inter.double(), plain, rtol=0, atol=2e-5)
    for got, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(got.double(), wanted, rtol=0, atol=5e-5 * float(wanted.abs().max()))

    with torch.no_grad():
        response = layer.response(length, factor)
        frozen = gates(signal, torch.fft.rfft(response), response.shape[-1])
    torch.testing.assert_close(frozen[0] * frozen[1], inter, rtol=0, atol=1e-6)


def test_batch_in_pieces_equals_batch_at_once():
    torch.manual_seed(0)
    layer = S4D(64, 4)
    signal = torch.randn(13, 64, 1100, requires_grad=True)  # pieces of three samples, the last smaller
    whole = gated_convolution(signal, layer.response(1100))
    single = torch.cat([gated_convolution(row[None], layer.response(1100)) for row in signal])
    torch.testing.assert_close(whole, single, rtol=0, atol=1e-6)
    weights = torch.randn_like(whole)
    for p, q in zip(
        torch.autograd.grad((whole * weights).sum(), [signal, layer.D]),
        torch.autograd.grad((single * weights).sum(), [signal, layer.D]),
        strict=True,
    ):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-5 * float(q.abs().max()))


def test_convolution_is_float32_under_autocast():
    layer = S4D(8, 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer.response(50).dtype == torch.float32
        assert gated_convolution(torch.randn(2, 8, 50, dtype=torch.bfloat16), layer.response(50)).dtype == torch.float32


def _write_through_data(layers: list[S4D]) -> None:
    layers[1].kernel.C.data.mul_(2)


def _load_state_dict(layers: list[S4D]) -> None:
    layers[0].load_state_dict({name: value + 0.1 for name, value in layers[0].state_dict().items()})


def _optimiser_step(layers: list[S4D]) -> None:
    optimiser = torch.optim.AdamW(layers[0].parameters(), lr=0.1)
    layers[0].response(40).square().sum().backward()
    optimiser.step()


@pytest.mark.parametrize("change", [_write_through_data, _load_state_dict, _optimiser_step])
def test_spectra_are_kept_until_weights_change(change):
    layers = [S4D(4, 3), S4D(4, 3)]
    spectra = Spectra()
    first = spectra(layers, 40, 1.0)
    assert spectra(layers, 40, 1.0) is first
    assert spectra(layers, 40, 0.9) is not first
    change(layers)
    after = spectra(layers, 40, 1.0)
    for spectrum, layer in zip(after, layers, strict=True):
        torch.testing.assert_close(spectrum, torch.fft.rfft(layer.response(40)), rtol=0, atol=0)
    assert any(not torch.equal(a, b) for a, b in zip(first, after, strict=True))


def test_spectra_survive_a_copy_of_the_model():
    layers = [S4D(4, 3)]
    spectra = Spectra()
    first = spectra(layers, 40, 1.0)
    copied_layers, copied = copy.deepcopy((layers, spectra))
    torch.testing.assert_close(copied(copied_layers, 40, 1.0)[0], first[0], rtol=0, atol=0)
