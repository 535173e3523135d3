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

from eegdiffusion.core.storage.pickles.mapped_pickle import NAMES, Unpickler, load_checked

MAGIC = 0x1950A86A20F9469CFC6C
"""First pickle of the older format."""

STORAGES = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "<i1", "ByteStorage": "<u1", "BoolStorage": "?",
}  # fmt: skip


class _Kind:
    """A type of storage, by its NumPy dtype."""

    __slots__ = ("dtype",)

    def __init__(self, dtype: str):
        self.dtype = np.dtype(dtype)


class _Tensor:
    """A view of a storage; ``places`` tells where in the file the storages begin."""

    __slots__ = ("first", "places", "shape", "storage", "strides")

    def __init__(self, storage: tuple, first: int, shape: tuple, strides: tuple, *_unused):
        self.storage, self.first, self.shape, self.strides = storage, first, shape, strides
        self.places = storage[-1]

    def resolve(self, mapped: np.ndarray) -> np.ndarray:
        kind, key, count, places = self.storage
        size = kind.dtype.itemsize
        begin = places[key]
        return np.ndarray(
            tuple(self.shape),
            kind.dtype,
            mapped[begin : begin + count * size],
            self.first * size,
            tuple(step * size for step in self.strides),
        )


_TENSORS: dict[tuple[str, str], Callable] = {
    ("torch._utils", "_rebuild_tensor"): _Tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
}


class _TensorUnpickler(Unpickler):
    """Also notes the bytes of each storage that is referred to."""

    def __init__(self, file: BinaryIO, places: dict[str, int], mapped: bool):
        kinds: dict[tuple[str, str], Any] = {("torch", name): _Kind(dtype) for name, dtype in STORAGES.items()}
        super().__init__(file, NAMES | _TENSORS | kinds, mapped)
        self.sizes: dict[str, int] = {}
        self._places = places

    def persistent_load(self, reference: tuple) -> tuple:
        _, kind, key, _, count = reference[:5]
        if len(reference) > 5 and reference[5] is not None:
            raise pickle.UnpicklingError("views of a storage are not supported")
        self.sizes[key] = count * kind.dtype.itemsize
        return kind, key, count, self._places


def _read_zip(path: Path):
    places = {}
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        pickled = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        root = pickled.removesuffix("data.pkl")
        for entry in archive.infolist():
            if entry.filename.startswith(f"{root}data/"):
                if entry.compress_type != zipfile.ZIP_STORED:
                    raise pickle.UnpicklingError(f"{entry.filename} is compressed")
                file.seek(entry.header_offset + 26)
                name, extra = (int.from_bytes(file.read(2), "little") for _ in range(2))
                places[entry.filename.removeprefix(f"{root}data/")] = entry.header_offset + 30 + name + extra
        return _TensorUnpickler(io.BytesIO(archive.read(pickled)), places, mapped=False).load()


def _read_legacy(path: Path):
    places: dict[str, int] = {}
    with path.open("rb") as file:
        if Unpickler(file).load() != MAGIC:
            raise pickle.UnpicklingError("is no file of torch.save")
        for _ in ("version of the format", "system"):
            Unpickler(file).load()
        unpickler = _TensorUnpickler(file, places, mapped=True)
        document = unpickler.load()
        for key in Unpickler(file).load():
            file.seek(8, 1)  # how many values follow, which the reference said
            places[key] = file.tell()
            file.seek(unpickler.sizes[key], 1)
    return document


def read_archive(path: Path) -> dict:
    """Read a dict that ``torch.save`` wrote.

    Returns:
        the dict, with NumPy arrays for tensors: read-only maps of the file.

    Raises:
        InputError: the file is missing, damaged, holds something else, or names something that no such file needs.
    """
    return load_checked(
        path, lambda file: (_read_zip if zipfile.is_zipfile(file) else _read_legacy)(file), "a dict of torch.save"
    )
