"""Bidirectional diagonal state-space (S4D) convolution.

The kernel of S4D (Gu et al. 2022, arXiv:2206.11893) is a Vandermonde product,
``K[h, l] = 2 Re sum_n C'[h, n] exp(dt A[h, n] l)``. Written out it needs channels x states x length complex numbers.
With ``l = i b + j`` the exponential splits, ``exp(z (i b + j)) = exp(z i b) exp(z j)``, and the kernel becomes a
batched product of two small real matrices: ``Re(C' P Q) = Re(C' P) Re(Q) - Im(C' P) Im(Q)``.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def fft_length(length: int) -> int:
    """Return the FFT length for convolving ``length`` samples: the least m 2^k >= 2 length with m in 1, 3, 5, 9, 15.

    Few odd factors leave the transform to its fast radix-4 and radix-8 passes: 2048 points take less time than 2000.
    """
    return min(m << max(0, math.ceil(math.log2(2 * length / m))) for m in (1, 3, 5, 9, 15))


def _powers(x: Tensor, y: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the real and imaginary part of ``exp((x + iy) t)``: (H, N), (H, N), (T,) -> (H, T, N) each."""
    decay, phase = (x[:, None] * steps[:, None]).exp_(), y[:, None] * steps[:, None]
    return torch.cos(phase).mul_(decay), phase.sin_().mul_(decay)


def _outer(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the complex products of all pairs of two tables' rows: (H, P, N), (H, Q, N) -> (H, P Q, N) each."""
    (a_real, a_imag), (b_real, b_imag) = [part[:, :, None] for part in a], [part[:, None] for part in b]
    real = (a_real * b_real).addcmul_(a_imag, b_imag, value=-1)
    imag = (a_real * b_imag).addcmul_(a_imag, b_real)
    return real.flatten(1, 2), imag.flatten(1, 2)


class _Vandermonde(torch.autograd.Function):
    """``K[h, s, l] = Re sum_n g[h, s, n] exp(z[h, n] l)``, l = 0 .. length - 1, with complex g and z = x + iy.

    As d exp(z l) / dz = l exp(z l), the backward pass takes the products of the gradient and of l times the gradient
    with the powers of the forward pass; it evaluates no exponential or sine.
    """

    @staticmethod
    def forward(ctx: Any, gain: Tensor, x: Tensor, y: Tensor, length: int) -> Tensor:
        channels, directions, _ = gain.shape
        # The backward pass holds about eight times as many values per coarse step and direction as per fine step. The
        # fine steps are themselves split, which saves most of the exponentials.
        root = math.ceil((4 * directions * length) ** 0.25)
        block = root * root
        blocks = math.ceil(length / block)
        steps = torch.arange(max(root, blocks), dtype=x.dtype, device=x.device)
        coarse = _powers(x, y, steps[:blocks] * block)  # (H, blocks, N)
        fine = _outer(_powers(x, y, steps[:root] * root), _powers(x, y, steps[:root]))  # (H, block, N)
        left = _outer((gain.real, gain.imag), coarse)  # (H, S blocks, N)
        kernel = torch.bmm(left[0], fine[0].transpose(1, 2))
        kernel = kernel.baddbmm_(left[1], fine[1].transpose(1, 2), alpha=-1)  # (H, S blocks, block)
        ctx.save_for_backward(gain, *coarse, *fine)
        return kernel.view(channels, directions, blocks * block)[..., :length]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        # Compiled, it is traced where the step's autocast is on.
        with torch.autocast(grad.device.type, enabled=False):
            return _Vandermonde._gradients(ctx.saved_tensors, grad)

    @staticmethod
    def _gradients(saved: tuple[Tensor, ...], grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        gain, coarse_real, coarse_imag, *fine = saved
        channels, directions, length = grad.shape
        blocks, block = coarse_real.shape[1], fine[0].shape[1]
        grads = grad.new_empty(channels, 2, directions, blocks * block)
        grads[..., length:] = 0
        grads[..., :length] = grad[:, None]
        grads[:, 1, :, :length].mul_(torch.arange(length, dtype=grad.dtype, device=grad.device))
        grads = grads.view(channels, -1, block)
        real, imag = (torch.bmm(grads, part).view(channels, 2 * directions, blocks, -1) for part in fine)
        coarse_real, coarse_imag = coarse_real[:, None], coarse_imag[:, None]
        sum_real = (real * coarse_real).addcmul_(imag, coarse_imag, value=-1).sum(2)
        sum_imag = real.mul_(coarse_imag).addcmul_(imag, coarse_real).sum(2)
        at_gain, at_power = torch.complex(sum_real, sum_imag).chunk(2, dim=1)  # (H, S, N), conjugate gradients
        slope = (gain * at_power).sum(1)
        return at_gain.conj_physical(), slope.real, -slope.imag, None


def s4d_kernel(
    inv_dt: Tensor, A_real: Tensor, A_imag: Tensor, B: Tensor, C: Tensor, length: int, step_factor: float = 1.0
) -> Tensor:
    """Return zero-order-hold S4D kernels, one per channel and direction (Gu et al. 2022, arXiv:2206.11893).

    Args:
        inv_dt: log of the time step, (H, 1).
        A_real: log of the negated real part of the diagonal state matrix, A = -exp(A_real) - i A_imag, (H, N).
        A_imag: negated imaginary part of A, (H, N).
        B: real and imaginary part of the input vector, (1, H, N, 2).
        C: real and imaginary part of the output vector, (S, H, N, 2), S directions.
        length: L, samples.
        step_factor: multiplies the time step.

    Returns:
        (H, S, L)
    """
    dt = torch.exp(inv_dt) * step_factor
    a, b = -torch.exp(A_real), -A_imag
    x, y = dt * a, dt * b
    # (exp(x + iy) - 1) / (a + ib), the numerator free of cancellation
    growth = torch.complex(torch.expm1(x) * torch.cos(y) - 2 * torch.sin(y / 2).square(), torch.exp(x) * torch.sin(y))
    hold = 2 * growth / torch.complex(a, b)
    drive = torch.view_as_complex(B.transpose(0, 1).contiguous()) * hold[:, None]  # (H, 1, N)
    gain = torch.view_as_complex(C.transpose(0, 1).contiguous()) * drive  # (H, S, N)
    return _Vandermonde.apply(gain, x, y, length)


class _GatedConvolution(torch.autograd.Function):
    """``sigmoid(y[:, :H]) * tanh(y[:, H:])``, y the convolution of (B, 2H, L) signals with (2H, n) two-sided responses.

    The adjoint of a convolution is the convolution with the conjugate spectrum; PyTorch's own derivative of ``rfft``
    runs a full complex transform instead. The signals' spectra, four times their size, are made again in the backward
    pass rather than kept. On a CPU the batch goes through in pieces that stay in its cache.
    """

    @staticmethod
    def forward(ctx: Any, signal: Tensor, response: Tensor) -> Tensor:
        n = response.shape[-1]
        spectrum = torch.fft.rfft(response)
        gate, filtered, inter = signal.new_empty(3, signal.shape[0], signal.shape[1] // 2, signal.shape[2])
        for rows, padded in _pieces(signal, n):
            padded[..., : signal.shape[2]] = signal[rows]
            y = torch.fft.irfft(torch.fft.rfft(padded).mul_(spectrum), n=n)[..., : signal.shape[2]]
            torch.sigmoid(y[:, : gate.shape[1]], out=gate[rows])
            torch.tanh(y[:, gate.shape[1] :], out=filtered[rows])
            torch.mul(gate[rows], filtered[rows], out=inter[rows])
        ctx.save_for_backward(signal, spectrum, gate, filtered)
        ctx.n = n
        return inter

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        signal, spectrum, gate, filtered = ctx.saved_tensors
        adjoint, width, length = spectrum.conj().resolve_conj(), gate.shape[1], signal.shape[2]
        grad_signal, grad_spectrum = torch.empty_like(signal), torch.zeros_like(spectrum)
        for rows, padded in _pieces(signal, ctx.n):
            filled = padded[..., :length].copy_(signal[rows])
            signal_spectrum = torch.fft.rfft(padded)
            # In place of the signal: the gradients g f (1 - g) and g (1 - f^2) of the gate's and the filter's inputs.
            at_gate, at_filter = filled[:, :width], filled[:, width:]
            at_filter.copy_(grad[rows]).mul_(gate[rows])
            at_gate.copy_(at_filter).mul_(filtered[rows])
            at_filter.addcmul_(at_gate, filtered[rows], value=-1)
            at_gate.addcmul_(at_gate, gate[rows], value=-1)
            inner = torch.fft.rfft(padded)
            grad_spectrum += signal_spectrum.conj_physical_().mul_(inner).sum(0)
            grad_signal[rows] = torch.fft.irfft(inner.mul_(adjoint), n=ctx.n)[..., :length]
        return grad_signal, torch.fft.irfft(grad_spectrum, n=ctx.n)


def _pieces(signal: Tensor, n: int) -> Iterator[tuple[slice, Tensor]]:
    """Yield the pieces of a batch of (B, H, L) signals, each with a buffer (b, H, n) whose tail beyond L is zero.

    On a CPU a piece is about half a million points, elsewhere it is the whole batch.
    """
    batch, channels, _ = signal.shape
    size = batch if signal.device.type != "cpu" else min(batch, max(1, 2**19 // (channels * n)))
    padded = signal.new_zeros(size, channels, n)
    for start in range(0, batch, size):
        yield slice(start, start + size), padded[: batch - start]


class S4DKernel(nn.Module):
    """Parameters of the kernels of H channels: N complex states each, one output vector per direction.

    Initialised as ``diag-lin``: A = -1/2 - i pi n, dt log-uniform.
    """

    def __init__(self, channels: int, states: int, directions: int = 2, dt_min: float = 1e-3, dt_max: float = 1e-1):
        super().__init__()
        self.inv_dt = nn.Parameter(torch.empty(channels, 1).uniform_(math.log(dt_min), math.log(dt_max)))
        self.A_real = nn.Parameter(torch.full((channels, states), math.log(0.5)))
        self.A_imag = nn.Parameter(math.pi * torch.arange(states, dtype=torch.float32).repeat(channels, 1))
        self.B = nn.Parameter(torch.tensor([1.0, 0.0]).repeat(1, channels, states, 1))
        self.C = nn.Parameter(torch.randn(directions, channels, states, 2) * math.sqrt(0.5))

    def forward(self, length: int, step_factor: float = 1.0) -> Tensor:
        """Return the kernels, (H, S, L)."""
        return s4d_kernel(self.inv_dt, self.A_real, self.A_imag, self.B, self.C, length, step_factor)


class S4D(nn.Module):
    """Two-sided S4D convolution with a direct term: channels H, complex states N.

    The forward kernel has lags 0, 1, ..; the backward kernel reaches strictly later samples (lags -1, -2, ..). Always
    float32: half-precision FFTs neither exist on every device nor suffice.
    """

    def __init__(self, channels: int, states: int):
        super().__init__()
        self.D = nn.Parameter(torch.randn(1, channels))
        self.kernel = S4DKernel(channels, states)

    def response(self, length: int, step_factor: float = 1.0) -> Tensor:
        """Return the impulse response for circular convolution, the direct term at lag 0: (H, fft_length(L))."""
        with torch.autocast(self.D.device.type, enabled=False):
            forward, backward = self.kernel(length, step_factor).unbind(1)
            gap = forward.new_zeros(len(forward), fft_length(length) - 2 * length)
            return torch.cat([forward[:, :1] + self.D.transpose(0, 1), forward[:, 1:], gap, backward.flip(1)], dim=1)


def gated_convolution(signal: Tensor, response: Tensor) -> Tensor:
    """Convolve and gate.

    Args:
        signal: (B, 2H, L).
        response: (2H, n), from :meth:`S4D.response`.

    Returns:
        sigmoid of the first H channels times tanh of the last H, (B, H, L) float32.
    """
    with torch.autocast(signal.device.type, enabled=False):
        if torch.compiler.is_exporting():
            gate, filtered = gates(signal, torch.fft.rfft(response), response.shape[-1])
            return gate * filtered
        return _GatedConvolution.apply(signal.float(), response)


def gates(signal: Tensor, spectrum: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Convolve with responses of known spectrum (2H, n // 2 + 1); return gate and filter, (B, H, L) float32 each."""
    with torch.autocast(signal.device.type, enabled=False):
        y = torch.fft.irfft(torch.fft.rfft(signal.float(), n=n).mul_(spectrum), n=n)[..., : signal.shape[-1]]
        gate, filtered = y.chunk(2, dim=1)
        return torch.sigmoid(gate), torch.tanh(filtered)


class Spectra:
    """Spectra of the responses of several S4D layers, kept as long as the layers' parameters stay bit for bit the same.

    The parameters are compared by value: an EMA writes through ``.data``, which leaves no trace in a tensor's version.
    At most four (length, step factor) pairs are kept.
    """

    def __init__(self) -> None:
        self._parameters = torch.empty(0)
        self._spectra: dict[tuple[int, float], list[Tensor]] = {}

    @torch.no_grad()
    def __call__(self, layers: list[S4D], length: int, step_factor: float) -> list[Tensor]:
        """Return one (H, n // 2 + 1) spectrum per layer."""
        parameters = torch.cat([p.detach().flatten() for layer in layers for p in layer.parameters()])
        known = self._parameters
        if known.device != parameters.device or known.shape != parameters.shape or not torch.equal(known, parameters):
            self._parameters = parameters
            self._spectra.clear()
        key = (length, step_factor)
        if key not in self._spectra:
            if len(self._spectra) == 4:
                self._spectra.pop(next(iter(self._spectra)))
            self._spectra[key] = [torch.fft.rfft(layer.response(length, step_factor)) for layer in layers]
        return self._spectra[key]
