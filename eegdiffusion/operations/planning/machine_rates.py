"""How fast a machine computes: the processors here by measurement, GPUs by a table of their makers' rates."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from eegdiffusion.core.runtime.run_record import machine
from eegdiffusion.operations.planning.counted_operations import Operations
from eegdiffusion.operations.planning.gpu_table import find_gpu

KEPT = Path(".work") / "planning"
"""Folder of the rates that were measured here."""

REFERENCE_LOOP_S = 0.022
"""Seconds that :func:`_loop` takes on the machine that times outside of networks were measured on (``benchmarks``)."""

MATMUL_SHARE, CONVOLUTION_SHARE, BANDWIDTH_SHARE = 0.5, 0.35, 0.7
"""Shares of a GPU's peak rates that networks of these sizes reach in PyTorch, without compilation."""

CACHED_BYTES = 1 << 20
"""Bytes up to which a kernel's tensors are in the cache of a processor."""

LAUNCH_S = 8e-6
"""Seconds of a processor to launch a kernel of PyTorch on a GPU, with the work of autograd."""

GPU_CONTEXT = 800_000_000
"""Bytes of a GPU's memory that CUDA, its libraries and the allocator's rests take."""

MIXED_BYTES = 0.65
"""Bytes of a training in mixed precision over those in single precision: weights, norms and losses stay in single."""


@dataclass(frozen=True)
class Rates:
    """Rates of what computes networks.

    Attributes:
        name: what it is.
        matmul, convolution, transform: floating-point operations a second.
        function: exponentials and the like a second.
        copy: bytes a second that are read and written.
        cached_copy: the same of tensors that stay in the cache.
        call_s: seconds of a call of a kernel.
        loop_s: seconds of a fixed loop of Python, which tells how fast all else is; None of a GPU.
        memory: bytes of memory; None: those of the machine.
    """

    name: str
    matmul: float
    convolution: float
    transform: float
    function: float
    copy: float
    cached_copy: float
    call_s: float
    loop_s: float | None = None
    memory: int | None = None

    def seconds(self, operations: Operations, devices: int = 1) -> float:
        """Return the seconds that operations take: each its bytes or its arithmetic, whichever is slower, and its call.

        A GPU computes while the next kernel is launched: of the sums of both the larger counts.

        Args:
            operations: what is computed.
            devices: GPUs that share the arithmetic; each of them launches all kernels.
        """
        rates = {
            "matmul": self.matmul,
            "convolution": self.convolution,
            "fft": self.transform,
            "function": self.function,
            "copy": 1e30,
        }
        busy = calls = 0.0
        for call, count in operations.calls.items():
            bandwidth = self.cached_copy if call.bytes <= CACHED_BYTES else self.copy
            busy += count * max(call.flops / rates[call.kind], call.bytes / bandwidth)
            calls += count * self.call_s
        return max(busy / devices, calls) if self.loop_s is None else busy + calls


def gpu_rates(name: str, precision: str) -> Rates:
    """Return the rates of a GPU.

    Args:
        name: of the table, e.g. ``h100``.
        precision: ``hardware.precision``.

    Raises:
        InputError: the table has no such GPU.
    """
    gpu = find_gpu(name)
    mixed = precision != "32-true"
    peak, bandwidth = 1e12 * (gpu.half if mixed else gpu.single), 1e9 * gpu.bandwidth * BANDWIDTH_SHARE
    bandwidth /= MIXED_BYTES if mixed else 1.0
    return Rates(
        name=name.upper(),
        matmul=MATMUL_SHARE * peak,
        convolution=CONVOLUTION_SHARE * peak,
        transform=1e12 * gpu.single * 0.1,
        function=bandwidth / 8,
        copy=bandwidth,
        cached_copy=bandwidth,
        call_s=LAUNCH_S,
        memory=round(1e9 * gpu.memory),
    )


def _call_seconds(function: Callable[[], object], clock: Callable[[], float], seconds: float = 0.15) -> float:
    """Return the median of the seconds of a call: what else runs here will make stages slower too."""
    function()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        begin = clock()
        function()
        times.append(clock() - begin)
    return median(times)


def _loop() -> int:
    total = 0
    for k in range(400_000):
        total += k & 7
    return total


def measure_rates(threads: int) -> Rates:
    """Measure the processors here with so many threads; it takes about two seconds.

    With one thread its own time is taken, not that on the wall, which other work makes longer.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    clock = time.thread_time if threads == 1 else time.perf_counter
    try:
        measured: Any = {name: work / _call_seconds(f, clock) for name, (work, f) in _samples(torch).items()}
        return Rates(
            name=f"{machine()}, {threads} thread{'s' if threads > 1 else ''}",
            **measured,
            call_s=_call_seconds(lambda: _small_calls(torch), clock) / SMALL_CALLS,
            loop_s=_call_seconds(_loop, time.thread_time),
        )
    finally:
        torch.set_num_threads(before)


SMALL_CALLS = 250
"""Calls of kernels in :func:`_small_calls`, forward and backward."""


def _small_calls(torch: Any) -> None:
    first = x = torch.zeros(8, requires_grad=True)
    for _ in range(SMALL_CALLS // 5):
        x = x * 1.5 + 1.0
    x.sum().backward()
    first.grad = None


def _samples(torch: Any) -> dict[str, tuple[float, Callable[[], object]]]:
    """Return for each rate the work of a call, and the call: of milliseconds, so that some are not interrupted."""
    side, large, small = 512, torch.ones(1 << 22), torch.ones(1 << 15)
    large_out, small_out = torch.empty_like(large), torch.empty_like(small)
    a, b = torch.ones(side, side), torch.ones(side, side)
    images, filters = torch.ones(4, 64, 32, 32), torch.ones(64, 64, 3, 3)
    signals, values = torch.ones(64, 2048), torch.ones(1 << 18)
    values_out = torch.empty_like(values)
    return {
        "matmul": (2 * side**3, lambda: a @ b),
        "convolution": (2 * 4 * 32 * 32 * 64 * 64 * 9, lambda: torch.conv2d(images, filters, padding=1)),
        "transform": (2.5 * signals.numel() * 11, lambda: torch.fft.rfft(signals)),
        "function": (values.numel(), lambda: torch.tanh(values, out=values_out)),
        "copy": (12 * large.numel(), lambda: torch.add(large, large, out=large_out)),
        "cached_copy": (12 * small.numel(), lambda: torch.add(small, small, out=small_out)),
    }


FASTER = ("matmul", "convolution", "transform", "function", "copy", "cached_copy")
"""Rates that several threads do not make less."""


def machine_rates(threads: int, folder: Path = KEPT) -> Rates:
    """Return the rates of the processors here, measured once.

    Args:
        threads: number of threads that compute.
        folder: where they are kept.
    """
    path = folder / f"rates-{threads}.json"
    described = machine()
    if path.is_file():
        document = json.loads(path.read_text())
        if document["machine"] == described:
            return Rates(**document["rates"])
    rates = measure_rates(threads)
    if threads > 1:  # other work makes several threads slower than one
        alone = asdict(machine_rates(1, folder))
        several = {name: max(value, alone[name]) for name, value in asdict(rates).items() if name in FASTER}
        rates = replace(rates, **several)
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps({"machine": described, "rates": asdict(rates)}, indent=2))
    os.replace(partial, path)
    return rates
