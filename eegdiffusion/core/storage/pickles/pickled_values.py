"""The values of a pickle that was read without running it: placeholders become arrays, large ones over the file."""

import math
import pickle
import re
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from eegdiffusion.core.storage.pickles.inert_unpickler import FileSpan, Inert, Name, OrderedItems, Unbuilt

MOST_VALUES = 1 << 24
"""Values that a pickle may unfold to, a long text counted as several, when what is shared is written out."""

MOST_DEPTH = 64
"""Lists, dicts and arrays of objects within each other."""

MOST_TIMES = 4
"""Times the file's own size that its arrays may have together, when what is shared is written out."""

_SMALL_ARRAYS = 1 << 24
"""Bytes of arrays that are allowed whatever the size of the file."""

MOST_ROWS = 1 << 40
"""Length of an axis of an array."""

_DTYPE = re.compile(r"b1|[iu][1248]|f[248]|f16|c8|c16|[SU][1-9]\d{0,8}|O8?")


class PickledDType(Inert):
    """A plain NumPy dtype; its state brings the byte order."""

    __slots__ = ("name", "order")

    order: Literal["<", ">", "|", "="]

    def __init__(self, name: str, *_unused: Any):
        if type(name) is not str or not _DTYPE.fullmatch(name):
            raise pickle.UnpicklingError(f"has an array of the type {name!r:.40}, which no such data set needs")
        self.name, self.order = name, "="

    def take_state(self, state: Any) -> None:
        """Take the byte order.

        Raises:
            UnpicklingError: the arrays are of records.
        """
        if any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("arrays of records are not supported")
        if state[1] not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("has an array of no byte order")
        self.order = state[1]

    def dtype(self) -> np.dtype:
        """Return the dtype."""
        dtype = np.dtype(self.name)
        return dtype if self.order in "|=" else dtype.newbyteorder(self.order)


class PickledArray(Inert):
    """An array as its state describes it."""

    __slots__ = ("state",)

    state: tuple | None

    def __init__(self, *_unused: Any):
        self.state = None

    def take_state(self, state: Any) -> None:
        """Keep shape, dtype, order and data."""
        self.state = state[-4:]

    def resolve(self, values: "Values", depth: int) -> Any:
        """Return the array, or the value or list that an array of objects holds."""
        if self.state is None:
            raise pickle.UnpicklingError("an array has no state")
        shape, dtype, fortran, data = self.state
        return values.array(data, dtype, shape, "F" if fortran else "C", depth)


class _Buffer(PickledArray):
    """An array of pickle protocol 5."""

    __slots__ = ()

    def __init__(self, data: Any, dtype: Any, shape: Any, order: Any):
        self.state = shape, dtype, order == "F", data


class _Scalar(Inert):
    """A NumPy number."""

    __slots__ = ("data", "dtype")

    def __init__(self, dtype: Any, data: Any = b""):
        self.dtype, self.data = dtype, data

    def resolve(self, values: "Values", depth: int) -> Any:
        """Return the number as Python's own."""
        number = values.array(self.data, self.dtype, (), "C", depth)
        return number.item() if isinstance(number, np.ndarray) else number


def _encode(text: str, _encoding: Any = None) -> bytes:
    return text.encode("latin1")


def _bytearray(data: Any = b"", _encoding: Any = None) -> Any:
    if not isinstance(data, bytes | str | FileSpan):
        raise pickle.UnpicklingError("has a bytearray that is not made of bytes")
    return data.encode("latin1") if isinstance(data, str) else data


def _list(items: Any = ()) -> list:
    if type(items) not in (list, tuple):
        raise pickle.UnpicklingError("has a list that is not made of items")
    return list(items)


def _items(items: Any = ()) -> Any:
    """Stand for ``OrderedDict`` and ``dict``, which Python 2 called with a list of pairs."""
    if items:
        raise pickle.UnpicklingError("has a dict that is made of other things than items")
    return OrderedItems()


def _names(makers: dict[tuple[str, str], Callable[..., Any]]) -> dict[tuple[str, str], Name]:
    return {(module, name): Name(f"{module}.{name}", make) for (module, name), make in makers.items()}


NAMES = _names(
    {
        ("collections", "OrderedDict"): _items,
        ("_codecs", "encode"): _encode,
        ("numpy", "ndarray"): PickledArray,
        ("numpy", "dtype"): PickledDType,
        **{
            (module, name): make
            for module in ("builtins", "__builtin__")
            for name, make in (("dict", _items), ("list", _list), ("set", _list), ("bytearray", _bytearray))
        },
        **{
            (f"numpy.{core}.{module}", name): make
            for core in ("core", "_core")
            for module, name, make in (
                ("multiarray", "_reconstruct", PickledArray),
                ("multiarray", "scalar", _Scalar),
                ("numeric", "_frombuffer", _Buffer),
            )
        },
    }
)
"""What published data sets name."""


class Values:
    """Turns what was unpickled into plain values and arrays; what is shared is built once, and counted each time.

    Args:
        mapped: the bytes of the file.
        unbuilt: returns the part of the state of an object that stands for it; None: it becomes None.
    """

    def __init__(self, mapped: np.ndarray, unbuilt: Callable[[Any], Any] | None = None):
        self.mapped, self._unbuilt = mapped, unbuilt
        self._built: dict[int, tuple[Any, int, int]] = {}
        self._within: set[int] = set()
        self._count = self._bytes = 0
        self._most_bytes = MOST_TIMES * mapped.size + _SMALL_ARRAYS

    def resolve(self, value: Any, depth: int = 0) -> Any:
        """Return a nested value with arrays in the place of what stands for them.

        Raises:
            UnpicklingError: it holds itself, is nested too deeply, or unfolds to more than it may.
        """
        if isinstance(value, FileSpan):
            self._spend(1, value.length)
            return self.mapped[value.offset : value.offset + value.length]
        if not isinstance(value, Inert | dict | list | tuple):
            self._spend(1 + (len(value) // 8 if isinstance(value, str | bytes) else 0), 0)
            return None if isinstance(value, Name) else value
        key = id(value)
        if key in self._within or depth > MOST_DEPTH:
            raise pickle.UnpicklingError(f"holds itself, or values more than {MOST_DEPTH} deep")
        if key in self._built:
            resolved, count, size = self._built[key]
            self._spend(count, size)
            return resolved
        self._within.add(key)
        count, size = self._count, self._bytes
        self._spend(1, 0)
        resolved = self._resolve(value, depth)
        self._within.remove(key)
        self._built[key] = resolved, self._count - count, self._bytes - size
        return resolved

    def _resolve(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            return {
                self._key(self.resolve(key, depth + 1)): self.resolve(item, depth + 1) for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.resolve(item, depth + 1) for item in value]
        if isinstance(value, Unbuilt):
            return None if self._unbuilt is None else self.resolve(self._unbuilt(value.state), depth + 1)
        return None if isinstance(value, PickledDType) else value.resolve(self, depth)

    def _key(self, key: Any) -> Any:
        if not isinstance(key, str | bytes | int | float | None):
            raise pickle.UnpicklingError(f"has a {type(key).__name__} as a key")
        return key

    def _spend(self, count: int, size: int) -> None:
        self._count += count
        self._bytes += size
        if self._count > MOST_VALUES:
            raise pickle.UnpicklingError(f"unfolds to more than {MOST_VALUES} values")
        if self._bytes > self._most_bytes:
            raise pickle.UnpicklingError(f"unfolds to more than {self._most_bytes} bytes of arrays")

    def array(self, data: Any, dtype: Any, shape: Any, order: Literal["C", "F"], depth: int = 0) -> Any:
        """Return an array over the mapped file or over bytes that were read; one of objects becomes its value or list.

        Args:
            data: its bytes, text in Latin-1, or where they lie in the file; the values of an array of objects.
            dtype: its :class:`PickledDType`.
            shape: lengths of its axes.
            order: ``C`` or ``F``.
            depth: of the array within the document.

        Raises:
            UnpicklingError: they do not fit each other.
        """
        if not isinstance(dtype, PickledDType):
            raise pickle.UnpicklingError("has an array without a dtype")
        kind, values = dtype.dtype(), checked_shape(shape)
        if kind.hasobject:
            if type(data) is not list or len(data) != values:
                raise pickle.UnpicklingError(f"has an array of {values} objects that does not hold them")
            resolved = self.resolve(data, depth + 1)
            return resolved[0] if shape == () else resolved
        if isinstance(data, str):
            data = data.encode("latin1")
        if not isinstance(data, bytes | FileSpan):
            raise pickle.UnpicklingError("has an array that is not made of bytes")
        length = data.length if isinstance(data, FileSpan) else len(data)
        if length != kind.itemsize * values:
            raise pickle.UnpicklingError(f"an array {shape} of {kind} has {length} bytes")
        self._spend(1, length)
        if isinstance(data, FileSpan):
            return np.ndarray(shape, kind, self.mapped, data.offset, order=order)
        return np.ndarray(shape, kind, data, order=order)

    def view(self, place: int, dtype: np.dtype, count: int, first: int, shape: Any, strides: Any) -> np.ndarray:
        """Return a view of values of the mapped file.

        Args:
            place: byte at which they begin.
            dtype: their type.
            count: how many there are.
            first: value at which the view begins.
            shape: lengths of its axes.
            strides: steps of its axes, in values.

        Raises:
            UnpicklingError: it goes beyond them.
        """
        values, steps = checked_shape(shape), [step for step in strides if type(step) is int and step >= 0]
        if len(steps) != len(shape) or type(first) is not int or first < 0:
            raise pickle.UnpicklingError("has a view of values that goes backwards")
        last = first + sum((length - 1) * step for length, step in zip(shape, steps, strict=True))
        size = dtype.itemsize
        if values and last >= count:
            raise pickle.UnpicklingError(f"has a view of {count} values that goes on to the value {last}")
        self._spend(1, values * size)
        if not values:
            return np.empty(shape, dtype)
        part = self.mapped[place : place + count * size]
        return np.ndarray(shape, dtype, part, first * size, tuple(step * size for step in steps))


def checked_shape(shape: Any) -> int:
    """Return the number of values in an array of a shape that a file gives.

    Raises:
        UnpicklingError: it is no shape, an axis is longer than ``MOST_ROWS``, or the array holds nothing but has rows.
    """
    if type(shape) is not tuple or len(shape) > 32 or not all(type(n) is int and 0 <= n <= MOST_ROWS for n in shape):
        raise pickle.UnpicklingError(f"has an array of the shape {str(shape)[:60]}")
    values = math.prod(shape)
    if not values and max(shape) > MOST_VALUES:
        raise pickle.UnpicklingError(f"has an array of the shape {shape}, which holds nothing")
    return values
