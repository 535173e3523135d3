"""Speed of SSMDP and LFT against the plain formulas in the same process: ``python -m benchmarks.models``."""

import resource
import time
from collections.abc import Callable
from statistics import median

import torch

from components.models import LFT, SSMDP
from components.models.s4d import S4D, s4d_kernel
from tests.oracles import naive_kernel, naive_lft, naive_ssmdp, naive_tokens


def seconds(function: Callable, repeats: int) -> list[float]:
    """Time each of ``repeats`` calls after one that is not counted."""
    function()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return times


def row(what: str, sizes: str, fast: Callable, naive: Callable, repeats: int = 9, naive_repeats: int = 3) -> dict:
    """Compare two calls; the peak is that of the process, so the fast call goes first."""
    fast_s = median(seconds(fast, repeats))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    naive_s = median(seconds(naive, naive_repeats))
    return {
        "what": what,
        "sizes": sizes,
        "median_s": fast_s,
        "naive_s": naive_s,
        "ratio": naive_s / fast_s,
        "peak_mib": peak,
    }


def kernels() -> dict:
    """Kernels of one layer, forward and backward."""
    layer = S4D(256, 64)
    weights = torch.randn(256, 2, 1000)

    def run(function):
        layer.zero_grad()
        (function(*layer.kernel.parameters(), 1000) * weights).sum().backward()

    return row("S4D kernels, one layer, forward + backward", "H=256 N=64 L=1000", lambda: run(s4d_kernel),
               lambda: run(naive_kernel), repeats=31, naive_repeats=5)  # fmt: skip


def _inputs(batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return torch.randn(batch, 1, 1000), torch.randint(50, (batch, 1)), torch.randint(22, (batch, 1))


def training_step(batch: int, repeats: int, naive_repeats: int) -> dict:
    """Forward, backward and AdamW of the paper's SSMDP."""
    model = SSMDP()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0)
    inputs, target = _inputs(batch), torch.randn(batch, 1, 1000)

    def run(forward):
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(forward(), target).backward()
        optimiser.step()

    weights = dict(model.named_parameters())
    return row("SSMDP training step", f"batch {batch}", lambda: run(lambda: model(*inputs)),
               lambda: run(lambda: naive_ssmdp(weights, *inputs)[0]), repeats, naive_repeats)  # fmt: skip


def tokens(batch: int, repeats: int, naive_repeats: int) -> dict:
    """Tokens of 22-channel windows from a frozen backbone."""
    model, signals = SSMDP().requires_grad_(False), torch.randn(batch, 22, 1000)

    def naive():
        with torch.no_grad():
            return naive_tokens(model.state_dict(), signals, 200)

    return row("tokens of 22-channel windows", f"batch {batch}", lambda: model.tokens(signals), naive,
               repeats, naive_repeats)  # fmt: skip


def lft_step(batch: int = 32) -> dict:
    """Forward and backward of the paper's LFT, pools folded into the batch."""
    model, inputs = LFT(), torch.randn(batch, 20, 5, 22, 128)
    weights = dict(model.named_parameters())

    def run(forward):
        model.zero_grad()
        forward().square().mean().backward()

    return row("LFT training step, against the loop over pools", f"batch {batch}", lambda: run(lambda: model(inputs)),
               lambda: run(lambda: naive_lft(weights, inputs, 8)), repeats=7, naive_repeats=7)  # fmt: skip


def rows() -> list[dict]:
    """All rows at the paper's size; about ten minutes on two cores."""
    return [
        kernels(),
        training_step(8, repeats=7, naive_repeats=1),
        tokens(1, repeats=7, naive_repeats=1),
        lft_step(),
        tokens(16, repeats=2, naive_repeats=1),
        training_step(108, repeats=2, naive_repeats=1),
    ]


if __name__ == "__main__":
    for line in rows():
        print(" ".join(f"{key}={value:.4g}" if isinstance(value, float) else str(value) for key, value in line.items()))
