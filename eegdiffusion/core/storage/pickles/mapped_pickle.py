"""Reader of the pickles that published data sets are made of, which runs nothing and leaves arrays in the file.

THINGS-EEG2 and EEGCVPR40 are published as pickles of dicts, lists, text, numbers and arrays. A pickle is a program that
may name any function; here a name is one of the few below or the file is refused. The bytes of large arrays are skipped
and mapped into memory instead of read: a subject of THINGS-EEG2 has 8 GB.
"""

import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Literal

import numpy as np

from eegdiffusion.core.runtime.errors import InputError

LARGE = 1 << 16
"""Bytes from which a value stays in the file; pickle writes such values outside of its frames."""


class FileSpan:
    """Bytes that were left in the file."""

    __slots__ = ("length", "offset")

    def __init__(self, offset: int, length: int):
        self.offset, self.length = offset, length


class _DType:
    """A plain NumPy dtype; its state brings the byte order."""

    __slots__ = ("name", "order")

    order: Literal["<", ">", "|", "="]

    def __init__(self, name: str, *_unused):
        self.name, self.order = name, "="

    def __setstate__(self, state: tuple) -> None:
        if any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("arrays of records are not supported")
        self.order = state[1]

    def resolve(self) -> np.dtype:
        dtype = np.dtype(self.name)
        return dtype if self.order in "|=" else dtype.newbyteorder(self.order)


class _Array:
    """An array as its state describes it."""

    __slots__ = ("state",)

    state: tuple | None

    def __init__(self, *_unused):
        self.state = None

    def __setstate__(self, state: tuple) -> None:
        self.state = state[-4:]

    def resolve(self, mapped: np.ndarray):
        if self.state is None:
            raise pickle.UnpicklingError("an array has no state")
        shape, dtype, fortran, data = self.state
        return _array(mapped, data, dtype.resolve(), shape, "F" if fortran else "C")


class _Buffer(_Array):
    """An array of pickle protocol 5."""

    __slots__ = ()

    def __init__(self, data, dtype: _DType, shape: tuple, order: str):
        self.state = shape, dtype, order == "F", data


class _Scalar:
    """A NumPy number."""

    __slots__ = ("data", "dtype")

    def __init__(self, dtype: _DType, data=b""):
        self.dtype, self.data = dtype, data

    def resolve(self, mapped: np.ndarray):
        return _array(mapped, self.data, self.dtype.resolve(), (), "C").item()


def _array(mapped: np.ndarray, data, dtype: np.dtype, shape: tuple, order: Literal["C", "F"]):
    """Build an array over the mapped file, or over bytes that were read; one of objects becomes its value or list."""
    if dtype.hasobject:
        values = resolve_arrays(data, mapped)
        return values[0] if shape == () else values
    if isinstance(data, str):
        data = data.encode("latin1")
    length = data.length if isinstance(data, FileSpan) else len(data)
    if length != dtype.itemsize * int(np.prod(shape, dtype=np.int64)):
        raise pickle.UnpicklingError(f"an array {shape} of {dtype} has {length} bytes")
    if isinstance(data, FileSpan):
        return np.ndarray(shape, dtype, mapped, data.offset, order=order)
    return np.ndarray(shape, dtype, bytes(data), order=order)


def _encode(text: str, _encoding: str) -> bytes:
    return text.encode("latin1")


NAMES: dict[tuple[str, str], Callable] = {
    ("builtins", "dict"): dict,
    ("builtins", "list"): list,
    ("builtins", "bytearray"): bytearray,
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _encode,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    **{
        (f"numpy.{core}.{module}", name): kind
        for core in ("core", "_core")
        for module, name, kind in (
            ("multiarray", "_reconstruct", _Array),
            ("multiarray", "scalar", _Scalar),
            ("numeric", "_frombuffer", _Buffer),
        )
    },
}


class Unpickler(pickle._Unpickler):
    """Python's own unpickler in Python, with a closed list of names and large values left in the file.

    Args:
        file: file that stands at the start of a pickle; it stands behind the pickle afterwards.
        names: what a global may be.
        mapped: whether large values stay in the file.
    """

    # What Python's own has, and its stub does not tell of.
    read: Callable[[int], bytes]
    append: Callable[[object], None]
    _unframer: Any

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: BinaryIO, names: dict[tuple[str, str], Callable] = NAMES, mapped: bool = True):
        super().__init__(file, encoding="latin1")
        self._opened, self._names, self._mapped = file, names, mapped

    def find_class(self, module: str, name: str):
        """Return what a global stands for, or raise ``UnpicklingError`` where it is not in the list."""
        if (module, name) not in self._names:
            raise pickle.UnpicklingError(f"names {module}.{name}, which no such data set needs")
        return self._names[module, name]

    def _bytes(self, size: int) -> None:
        length = int.from_bytes(self.read(size), "little")
        if length < LARGE or self._unframer.current_frame or not self._mapped:
            self.append(self.read(length))
            return
        self.append(FileSpan(self._opened.tell(), length))
        self._opened.seek(length, 1)

    dispatch[pickle.BINBYTES[0]] = lambda self: self._bytes(4)
    dispatch[pickle.BINBYTES8[0]] = lambda self: self._bytes(8)
    dispatch[pickle.BYTEARRAY8[0]] = lambda self: self._bytes(8)


def resolve_arrays(value, mapped: np.ndarray):
    """Replace what stands for arrays by arrays, throughout a nested value."""
    if hasattr(value, "resolve"):
        return value.resolve(mapped)
    if isinstance(value, dict):
        return {resolve_arrays(key, mapped): resolve_arrays(item, mapped) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolve_arrays(item, mapped) for item in value]
    return value


def load_checked(path: Path, read: Callable[[Path], Any], what: str) -> dict:
    """Read a pickled dict with its arrays mapped, whatever a crafted or damaged file does to ``read``.

    Args:
        path: the file.
        read: returns what was pickled, with placeholders for arrays.
        what: such a file is, for the message.

    Raises:
        InputError: the file is missing, damaged or holds something else.
    """
    try:
        document = resolve_arrays(read(path), np.memmap(path, np.uint8, "r"))
        if not isinstance(document, dict):
            raise pickle.UnpicklingError(f"holds a {type(document).__name__}, not a dict")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except Exception as error:  # a crafted or damaged file can raise nearly anything
        raise InputError(f"{path}: must be {what}, intact ({type(error).__name__}: {error})") from error
    return document


def _read_pickle(path: Path) -> Any:
    with path.open("rb") as file:
        if file.read(6) == b"\x93NUMPY":
            file.seek(0)
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            dtype = read(file)[2]
            if not dtype.hasobject:
                raise pickle.UnpicklingError(f"holds an array of {dtype}, not a dict")
        else:
            file.seek(0)
        return Unpickler(file).load()


def read_mapping(path: Path, fields: tuple[str, ...]) -> dict:
    """Read a dict from a file of ``np.save(dict)`` or of ``pickle.dump(dict)``; both are called ``.npy``.

    Args:
        path: the file.
        fields: keys that the dict must have.

    Returns:
        the dict; its arrays are read-only maps of the file.

    Raises:
        InputError: the file is missing, damaged, holds something else, or names something that no such file needs.
    """
    document = load_checked(path, _read_pickle, "a pickled dict of arrays")
    if missing := [field for field in fields if field not in document]:
        raise InputError(f"{path}: {', '.join(missing)}: is missing (found {', '.join(map(str, document))})")
    return document
