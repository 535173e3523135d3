"""How far the training step is from what the machine can do, and how its cost grows.

The step must at least multiply and add what its linear maps and convolutions take, and move its activations through
memory. Both are counted from the sizes and divided by rates that the same run measures: of a matrix product and of a
copy.
"""

import math
from dataclasses import dataclass
from statistics import median

import torch

from benchmarks.measure import seconds
from benchmarks.models import inputs, stepper
from eegdiffusion import SSMDP
from eegdiffusion.events.models.s4d import fft_length


@dataclass
class Limit:
    """Bounds of one training step.

    Attributes:
        step_s: measured, median.
        gflop, gbyte: least operations and memory traffic.
        gflops, gbytes: measured rates, a second.
    """

    step_s: float
    gflop: float
    gbyte: float
    gflops: float
    gbytes: float

    @property
    def bound_s(self) -> float:
        """Operations and traffic one after the other, at the measured rates."""
        return self.gflop / self.gflops + self.gbyte / self.gbytes


def matrix_rate() -> float:
    """GFLOP/s of a float32 matrix product."""
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    a @ b
    return 2 * 2048**3 / median(seconds(lambda: a @ b) for _ in range(7)) / 1e9


def copy_rate() -> float:
    """GB/s of a copy that no cache holds, read and written."""
    source = torch.ones(64 << 20)
    target = torch.empty_like(source)
    target.copy_(source)
    return 2 * source.nbytes / median(seconds(lambda: target.copy_(source)) for _ in range(7)) / 1e9


def step_work(model: SSMDP, batch: int, length: int = 1000) -> tuple[float, float]:
    """Least GFLOP and GB of a forward and backward pass, from the sizes.

    Per sample and layer: pre_layer H -> 2H, linear_skip and linear_next H -> H, three times (forward, and the two
    products of the backward pass), and five real FFTs of 2H channels (two forward; the backward pass makes the
    spectrum again), at 2.5 n log2 n. Traffic: the activations that the backward pass reads (input, drive, gate, filter,
    inter: 6 H L floats), written once and read once, and their gradients the same.
    """
    c = model.config
    n = fft_length(length)
    linear = 3 * 2 * length * c.d_model * (2 * c.d_model + 2 * c.d_model)
    transforms = (2 + 3) * 2 * c.d_model * 2.5 * n * math.log2(n)
    activations = 6 * c.d_model * length * 4
    samples = batch * c.n_layer
    return samples * (linear + transforms) / 1e9, samples * 4 * activations / 1e9


def limit(batch: int = 8) -> Limit:
    """Measure a step and its bounds."""
    model, run = stepper(batch)
    run(model)
    step_s = median(seconds(lambda: run(model)) for _ in range(5))
    return Limit(step_s, *step_work(model, batch), matrix_rate(), copy_rate())


def growth() -> dict[str, list[tuple[int, float]]]:
    """Seconds against batch, layers and windows, the rest as in the paper."""

    def training(batch: int):
        model, run = stepper(batch)
        return lambda: run(model)

    def layers(n_layer: int):
        model, arguments = SSMDP(n_layer=n_layer), inputs(8)
        return lambda: model(*arguments).mean().backward()

    def tokens(windows: int):
        model, signals = SSMDP().requires_grad_(False), torch.randn(windows, 22, 1000)
        return lambda: model.tokens(signals)

    def points(make, sizes) -> list[tuple[int, float]]:
        measured = []
        for size in sizes:
            call = make(size)
            call()
            measured.append((size, median(seconds(call) for _ in range(3))))
        return measured

    return {
        "batch": points(training, (4, 8, 16)),
        "layers": points(layers, (5, 10, 20)),
        "windows": points(tokens, (1, 2, 4)),
    }
