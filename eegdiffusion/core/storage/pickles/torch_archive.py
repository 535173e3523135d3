"""Reader of ``torch.save`` files without PyTorch: tensors are maps of the file, and nothing that it names is run.

Both formats are read: the zip archive of PyTorch 1.6 and later, and the row of pickles and storages before it, in which
EEGCVPR40 is published. Its 3 GB stay on disk; ``torch.load`` would hold them.
"""

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from eegdiffusion.core.storage.pickles.inert_unpickler import Inert, InertUnpickler, Name
from eegdiffusion.core.storage.pickles.mapped_pickle import load_checked
from eegdiffusion.core.storage.pickles.pickled_values import NAMES, Values

MAGIC = 0x1950A86A20F9469CFC6C
"""First pickle of the older format."""

STORAGES = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "<i1", "ByteStorage": "<u1", "BoolStorage": "?", "BFloat16Storage": "<u2",
}  # fmt: skip

MOST_DIRECTORY = 1 << 24
"""Bytes of the list of an archive's members: 200,000 of them."""

MOST_PICKLE = 1 << 28
"""Bytes of an archive's pickle, which is read into memory."""

_DIRECTORY_BYTES, _BFLOAT16 = 5, "BFloat16Storage"


class _Storage(Name):
    """A type of storage, by its NumPy dtype."""

    __slots__ = ("dtype",)

    def __init__(self, name: str):
        super().__init__(name, None)
        self.dtype = np.dtype(STORAGES[name])


class _Stored(Inert):
    """Values of a storage: how many, and where in the file they begin, which ``places`` tells by key."""

    __slots__ = ("count", "key", "kind", "places")

    def __init__(self, kind: _Storage, key: str, count: int, places: dict[str, tuple[int, int | None]]):
        self.kind, self.key, self.count, self.places = kind, key, count, places

    @property
    def size(self) -> int:
        return self.count * self.kind.dtype.itemsize

    def resolve(self, values: Values, depth: int) -> None:
        """Return nothing: a storage is of use by the tensors that view it."""

    def begin(self, mapped: np.ndarray) -> int:
        """Return the byte at which it begins.

        Raises:
            UnpicklingError: the file does not hold it, or another number of values.
        """
        if self.key not in self.places:
            raise pickle.UnpicklingError(f"has no storage {self.key:.40}")
        begin, size = self.places[self.key]
        if size not in (None, self.size):
            kind = self.kind.text
            raise pickle.UnpicklingError(
                f"storage {self.key} must be {self.count} values of {kind} (found {size} bytes)"
            )
        if begin + self.size > mapped.size:
            raise pickle.UnpicklingError(
                f"storage {self.key} must be {self.count} values, which the file does not hold"
            )
        return begin


class _Tensor(Inert):
    """A view of a storage."""

    __slots__ = ("first", "shape", "storage", "strides")

    def __init__(self, storage: Any, first: Any, shape: Any, strides: Any, *_unused: Any):
        if not isinstance(storage, _Stored):
            raise pickle.UnpicklingError("has a tensor without a storage")
        self.storage, self.first, self.shape, self.strides = storage, first, shape, strides

    def resolve(self, values: Values, depth: int) -> np.ndarray:
        """Return the array; bfloat16, which NumPy has not, becomes float32, which holds its every value."""
        storage = self.storage
        begin, dtype = storage.begin(values.mapped), storage.kind.dtype
        array = values.view(begin, dtype, storage.count, self.first, self.shape, self.strides)
        if storage.kind.text == _BFLOAT16:
            return np.asarray(array.astype("<u4") << 16).view("<f4")
        return np.asarray(array.view(np.uint8) != 0) if dtype.kind == "b" else array


def _parameter(data: Any, *_unused: Any) -> Any:
    return data


_TENSORS = {
    ("torch._utils", name): Name(name, make)
    for name, make in (
        ("_rebuild_tensor", _Tensor),
        ("_rebuild_tensor_v2", _Tensor),
        ("_rebuild_parameter", _parameter),
    )
} | {(module, name): _Storage(name) for module in ("torch", "torch.cuda") for name in STORAGES}


class _TensorUnpickler(InertUnpickler):
    """Also notes the bytes of each storage that is referred to."""

    def __init__(self, file: BinaryIO, places: dict[str, tuple[int, int | None]], mapped: bool, unknown: bool):
        super().__init__(file, NAMES | _TENSORS, mapped, unknown)
        self.sizes: dict[str, int] = {}
        self._places = places

    def persistent_load(self, reference: Any) -> _Stored:
        _, kind, key, _, count = reference[:5]
        if len(reference) > 5 and reference[5] is not None:
            raise pickle.UnpicklingError("views of a storage are not supported")
        if not isinstance(kind, _Storage) or type(key) is not str or type(count) is not int or count < 0:
            raise pickle.UnpicklingError("refers to what is no storage")
        stored = _Stored(kind, key, count, self._places)
        self.sizes[key] = stored.size
        return stored


def _require_stored(entry: zipfile.ZipInfo) -> None:
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
        raise pickle.UnpicklingError(f"{entry.filename} is compressed")


def _read_zip(path: Path, unknown: bool) -> Any:
    places: dict[str, tuple[int, int | None]] = {}
    with path.open("rb") as file:
        # The directory takes ten times its size in memory: its own is looked at first.
        directory = zipfile._EndRecData(file)  # type: ignore[attr-defined]
        if not directory or directory[_DIRECTORY_BYTES] > MOST_DIRECTORY:
            raise pickle.UnpicklingError(f"has a directory of more than {MOST_DIRECTORY} bytes, or none")
        with zipfile.ZipFile(file) as archive:
            pickled = next(entry for entry in archive.infolist() if entry.filename.endswith("/data.pkl"))
            _require_stored(pickled)
            if pickled.file_size > MOST_PICKLE:
                raise pickle.UnpicklingError(f"has a pickle of more than {MOST_PICKLE} bytes")
            folder = pickled.filename.removesuffix("data.pkl") + "data/"
            for entry in archive.infolist():
                if entry.filename.startswith(folder):
                    _require_stored(entry)
                    file.seek(entry.header_offset + 26)
                    name, extra = (int.from_bytes(file.read(2), "little") for _ in range(2))
                    begin = entry.header_offset + 30 + name + extra
                    places[entry.filename.removeprefix(folder)] = begin, entry.file_size
            content = archive.read(pickled)
    return _TensorUnpickler(io.BytesIO(content), places, mapped=False, unknown=unknown).load()


def _read_legacy(path: Path, unknown: bool) -> Any:
    places: dict[str, tuple[int, int | None]] = {}
    with path.open("rb") as file:
        if InertUnpickler(file, NAMES).load() != MAGIC:
            raise pickle.UnpicklingError("is no file of torch.save")
        for _ in ("version of the format", "system"):
            InertUnpickler(file, NAMES).load()
        unpickler = _TensorUnpickler(file, places, mapped=True, unknown=unknown)
        document = unpickler.load()
        keys = InertUnpickler(file, NAMES).load()
        if type(keys) is not list or not all(type(key) is str for key in keys):
            raise pickle.UnpicklingError("has no list of its storages")
        for key in keys:
            file.seek(8, 1)  # how many values follow, which the reference said
            places[key] = file.tell(), None
            file.seek(unpickler.sizes[key], 1)
    return document


def read_archive(path: Path, what: str = "a dict of torch.save", unbuilt: Callable[[Any], Any] | None = None) -> dict:
    """Read a dict that ``torch.save`` wrote.

    Args:
        path: the file.
        what: such a file is, for the message.
        unbuilt: where given, objects of any class are allowed; none is built, and this returns the part of its state
            that stands for one.

    Returns:
        the dict, with NumPy arrays for tensors: read-only maps of the file, but float32 for bfloat16.

    Raises:
        InputError: the file is missing, damaged, holds something else, or names something that no such file needs.
    """

    def read(file: Path) -> Any:
        return (_read_zip if zipfile.is_zipfile(file) else _read_legacy)(file, unbuilt is not None)

    return load_checked(path, read, what, unbuilt)
