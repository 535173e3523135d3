"""Reader of Lightning checkpoints (PyTorch's zip-and-pickle format) that runs nothing a pickle names.

``torch.load(weights_only=True)`` refuses EEGDM's published files: their hyper-parameters hold OmegaConf containers and
the name of a function. Here a global is one of a few harmless constructors, or else an inert placeholder.
"""

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eegdiffusion.core.runtime.errors import InputError

_DTYPES = {
    "FloatStorage": torch.float32, "DoubleStorage": torch.float64, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
}  # fmt: skip

_BUILTINS = {"dict": dict, "list": list, "set": set, "int": int, "long": int, "float": float, "bool": bool, "str": str}


class _Placeholder:
    """Stands for an object that is not to be built: takes what a pickle does to it and keeps the state."""

    def __init__(self, *_args: object):
        self.state: Any = None

    def __setstate__(self, state: object) -> None:
        self.state = state

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def append(self, value: object) -> None:
        pass


class _RebuildTensor:
    """Callable without attributes, so that a pickle cannot change it."""

    __slots__ = ()

    def __call__(self, storage: Tensor, offset: int, size: tuple, stride: tuple, *_unused: object) -> Tensor:
        return torch.as_strided(storage, size, stride, offset)


class _RebuildParameter:
    __slots__ = ()

    def __call__(self, data: Tensor, *_unused: object) -> Tensor:
        return data


_GLOBALS = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _RebuildTensor(),
    ("torch._utils", "_rebuild_parameter"): _RebuildParameter(),
    **{("torch", name): dtype for name, dtype in _DTYPES.items()},
    **{(module, name): kind for module in ("builtins", "__builtin__") for name, kind in _BUILTINS.items()},
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile, root: str):
        super().__init__(archive.open(f"{root}/data.pkl"), encoding="utf-8")
        self.archive, self.root = archive, root
        self.storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        return _GLOBALS.get((module, name), _Placeholder)

    def persistent_load(self, reference: tuple) -> Tensor:
        _, dtype, key, _, count = reference
        if key not in self.storages:
            entry = self.archive.getinfo(f"{self.root}/data/{key}")
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != count * dtype.itemsize:
                raise ValueError(f"storage {key} must be {count} stored {dtype} values (found {entry.file_size} bytes)")
            data = bytearray(self.archive.read(entry))
            self.storages[key] = torch.frombuffer(data, dtype=dtype) if count else torch.empty(0, dtype=dtype)
        return self.storages[key]


def read_checkpoint(path: Path) -> dict:
    """Read ``state_dict`` (names to tensors) and ``hyper_parameters`` (plain dicts, lists and values).

    Raises:
        InputError: the file is missing, is no such checkpoint or is damaged.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            pickled = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            document = _Unpickler(archive, pickled.removesuffix("/data.pkl")).load()
        state = document["state_dict"]
        if not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()):
            raise TypeError("state_dict must map names to tensors")
        hyper_parameters = _plain(document.get("hyper_parameters", {}))
    except Exception as error:  # a crafted or damaged file can raise nearly anything
        raise InputError(f"{path}: must be a Lightning checkpoint, intact ({type(error).__name__}: {error})") from error
    return {"state_dict": state, "hyper_parameters": hyper_parameters}


def _plain(value: object) -> Any:
    """Unwrap OmegaConf: containers hold items in ``_content``, leaves a value in ``_val``; others become None."""
    if isinstance(value, _Placeholder):
        state = value.state if isinstance(value.state, dict) else {}
        return _plain(state.get("_content", state.get("_val")))
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool) else None
