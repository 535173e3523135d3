"""What a network computes, counted with its real class on tensors without values (PyTorch's meta device).

A function runs once, and every call of a kernel is written down: what kind of work it is, floating-point operations,
and bytes that it reads and writes. Floating-point operations of matrix products, convolutions and attention are those
of ``torch.utils.flop_counter``; a Fourier transform of n points of a real signal takes 2.5 n log2 n (Cooley and Tukey
1965).
"""

import math
import weakref
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

Kind = Literal["matmul", "convolution", "fft", "function", "copy"]
"""Matrix products and attention; convolutions; Fourier transforms; exponentials and the like; all that moves bytes."""

META = torch.device("meta")

_CONVOLUTIONS = {"aten.convolution", "aten.convolution_backward", "aten._convolution"}
_TRANSFORMS = {"aten._fft_r2c", "aten._fft_c2r", "aten._fft_c2c"}
_FUNCTIONS = ("exp", "sigmoid", "tanh", "softmax", "gelu", "silu", "elu", "erf", "sin", "cos", "log", "pow", "mish")
_NOTHING = ("aten.empty", "aten.detach", "aten.alias", "aten.view", "aten.is_same_size")


@dataclass(frozen=True)
class Operation:
    """A call of a kernel.

    Attributes:
        kind: what work it is.
        flops: floating-point operations; of ``function`` the number of values.
        bytes: bytes that it reads and writes.
    """

    kind: Kind
    flops: int
    bytes: int


@dataclass(frozen=True)
class Operations:
    """Calls of kernels.

    Attributes:
        calls: how often each operation is called.
        peak_bytes: what the calls hold at most at a time, beside the tensors that were there before.
    """

    calls: Mapping[Operation, float] = field(default_factory=dict)
    peak_bytes: int = 0

    def __add__(self, other: "Operations") -> "Operations":
        """Return the calls of both, one after the other."""
        calls = Counter(self.calls)
        for operation, count in other.calls.items():
            calls[operation] += count  # type: ignore[assignment]  # a mean over steps is a fraction
        return Operations(calls, max(self.peak_bytes, other.peak_bytes))

    def times(self, count: float) -> "Operations":
        """Return the calls of several runs, one after another."""
        return Operations({operation: count * n for operation, n in self.calls.items()}, self.peak_bytes)

    @property
    def flops(self) -> float:
        """Floating-point operations of all calls, without exponentials and the like."""
        return sum(n * call.flops for call, n in self.calls.items() if call.kind != "function")

    @property
    def bytes(self) -> float:
        """Bytes that all calls read and write."""
        return sum(n * call.bytes for call, n in self.calls.items())


def matrix_products(*sizes: tuple[int, int, int], item_bytes: int = 8) -> Operations:
    """Return products of matrices (n, k) and (k, m), each given as n, k, m, of numbers of ``item_bytes`` bytes.

    A product in double precision counts twice, as processors take twice as long for it.
    """
    calls = Counter(
        Operation("matmul", 2 * n * k * m * item_bytes // 4, (n * k + k * m + n * m) * item_bytes) for n, k, m in sizes
    )
    return Operations(calls)


def moved(size: float) -> Operations:
    """Return the operation that reads and writes so many bytes."""
    return Operations({Operation("copy", 0, round(size)): 1})


def _size(tensor: Tensor) -> int:
    """Bytes that a tensor makes a kernel touch; of an expanded one those that are there."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


def _kind(name: str, flops: int) -> Kind:
    if name in _CONVOLUTIONS:
        return "convolution"
    if name in _TRANSFORMS:
        return "fft"
    if flops:
        return "matmul"
    word = name.partition(".")[2].strip("_")
    return "function" if any(word.startswith(each) or f"_{each}" in word for each in _FUNCTIONS) else "copy"


def _transform_flops(tensors: list[Tensor], kwargs: Mapping[str, Any], out: Tensor, args: tuple) -> int:
    real = max([*tensors, out], key=lambda tensor: tensor.numel())
    points = math.prod(real.shape[axis] for axis in args[1])
    complex_too = 2 if all(tensor.is_complex() for tensor in (*tensors, out)) else 1
    return round(2.5 * complex_too * real.numel() * math.log2(max(points, 2)))


class _Counting(TorchDispatchMode):
    """Writes down every call of a kernel on the meta device, and how many bytes live."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[Operation] = Counter()
        self.live, self.peak = 0, 0
        self._known: set[int] = set()
        self._passed: weakref.WeakSet[Tensor] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        name = str(func._overloadpacket)
        # Checks of values pass: all is finite, and nothing is out of its range. A counter stands at 1.
        if name == "aten._local_scalar_dense" and args[0].is_meta:
            is_check = args[0].dtype == torch.bool
            return any(args[0] is passed for passed in self._passed) if is_check else 1
        if name == "aten.equal" and args[0].is_meta:
            return True
        out = func(*args, **kwargs)
        outputs = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        if name == "aten.all":
            self._passed.add(out)
        if outputs and outputs[0].is_meta:
            self._write(func, name, tensors, outputs, args, kwargs, out)
        return out

    def _write(
        self, func: Any, name: str, tensors: list[Tensor], outputs: list[Tensor], args: tuple, kwargs: dict, out: Any
    ) -> None:
        before = {tensor.untyped_storage()._cdata for tensor in tensors}
        for tensor in outputs:
            storage = tensor.untyped_storage()
            if storage._cdata not in before and storage._cdata not in self._known:
                self._keep(storage)
        is_view = all(tensor.untyped_storage()._cdata in before for tensor in outputs) and not func._schema.is_mutable
        if is_view or name.startswith(_NOTHING):
            return
        flops = 0
        if func._overloadpacket in flop_registry:
            flops = flop_registry[func._overloadpacket](*args, **kwargs, out_val=out)
        elif name in _TRANSFORMS:
            flops = _transform_flops(tensors, kwargs, outputs[0], args)
        kind = _kind(name, flops)
        if kind == "function":
            flops = sum(tensor.numel() for tensor in outputs)
        self.calls[Operation(kind, int(flops), sum(map(_size, (*tensors, *outputs))))] += 1

    def _keep(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        self._known.add(key)
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size


_WRITTEN_OUT = nn.functional.scaled_dot_product_attention


def _fused_attention(query: Tensor, key: Tensor, value: Tensor, *options: Any, **named: Any) -> Tensor:
    """Attend in one kernel, as CPUs and GPUs do; on the meta device attention would be written out."""
    if not query.is_meta or query.dim() != 4:
        return _WRITTEN_OUT(query, key, value, *options, **named)
    given = dict(zip(("attn_mask", "dropout_p", "is_causal", "scale"), options, strict=False)) | named
    mask = given.get("attn_mask")
    if mask is not None and mask.dtype == torch.bool:
        mask = None  # it takes no time, and the kernel wants numbers
    kernel, causal = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu, bool(given.get("is_causal", False))
    return kernel(query, key, value, 0.0, causal, attn_mask=mask, scale=given.get("scale"))[0]


class _FusedAttention(TorchFunctionMode):
    """Takes attention in one kernel in modules that have imported the function by its name."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return (_fused_attention if func is _WRITTEN_OUT else func)(*args, **kwargs or {})


class _Autocast(torch.autocast):
    """Autocasting, which the meta device does not have: its regions are those of the CPU."""

    def __init__(self, device_type: str, *args: Any, **kwargs: Any):
        super().__init__("cpu" if device_type == "meta" else device_type, *args, **kwargs)


def count(function: Callable[[], object]) -> Operations:
    """Count what a function computes with networks and tensors on the meta device.

    Args:
        function: is called once; what it returns is dropped.
    """
    counting = _Counting()
    # Modes of functions are off in a backward pass, where what was not kept is computed again: hence the patch as well.
    fused = patch.object(nn.functional, "scaled_dot_product_attention", _fused_attention)
    with patch.object(torch, "autocast", _Autocast), fused, counting, _FusedAttention():
        returned = function()
        del returned
    return Operations(counting.calls, counting.peak)


def count_step(network: nn.Module, loss: Callable[[], Tensor]) -> Operations:
    """Count a training step: forward, backward, and AdamW, which reads and writes each weight and its two averages.

    Args:
        network: what is trained; it is on the meta device.
        loss: computes the loss of a batch.
    """

    def step() -> None:
        loss().backward()

    counted = count(step)
    for parameter in network.parameters():
        parameter.grad = None
    weights = weight_bytes(network, trained=True)
    return counted + moved(7 * weights)


def weight_bytes(*networks: nn.Module, trained: bool = False) -> int:
    """Return the bytes of the weights of networks, or of those of them that are trained."""
    return sum(
        parameter.numel() * parameter.element_size()
        for network in networks
        for parameter in network.parameters()
        if parameter.requires_grad or not trained
    )
