"""Lightning checkpoints as safetensors: atomic on disk, and nothing in them can execute when they are read."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from eegdiffusion.core.runtime.errors import InputError


def _pack(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """Turn a nested value into JSON, moving its tensors to ``tensors``."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case torch.Tensor():
            key = str(len(tensors))
            # A copy: safetensors refuses tensors that share storage, as tied weights and their optimiser views do.
            tensors[key] = value.detach().to("cpu", copy=True).contiguous()
            return {"tensor": key}
        case dict():
            return {"dict": [[_pack(k, tensors), _pack(v, tensors)] for k, v in value.items()]}
        case list():
            return {"list": [_pack(v, tensors) for v in value]}
        case tuple():
            return {"tuple": [_pack(v, tensors) for v in value]}
        case Path():
            return str(value)
    raise TypeError(f"a checkpoint cannot hold {type(value).__qualname__}: {value!r}")


def _unpack(value: Any, tensors) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    match kind:
        case "tensor":
            # A copy: in the file it lies at any address, a tensor of PyTorch's own at a multiple of 64.
            return tensors.get_tensor(content).clone()
        case "dict":
            return {_unpack(k, tensors): _unpack(v, tensors) for k, v in content}
        case "list":
            return [_unpack(v, tensors) for v in content]
        case "tuple":
            return tuple(_unpack(v, tensors) for v in content)
    raise ValueError(f"unknown kind {kind!r} in a checkpoint")


def _linked(first: Path, second: Path, partial: Path) -> bool:
    """Link a file beside the first one, and tell whether it was possible."""
    if first == second or first.parent != second.parent:
        return False
    try:
        os.link(first, partial)
    except OSError:  # a file system without hard links
        return False
    return True


class SafetensorsCheckpointIO(CheckpointIO):
    """Stores a checkpoint's tensors in one safetensors file and the rest as JSON in its metadata.

    A file appears under its name only once it is complete, so a process killed while saving leaves the previous one. Of
    two checkpoints of the same step in a folder, such as the last one and the best, the second is a link to the first.
    """

    def __init__(self):
        self._latest: tuple[Path, Any, Any] | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint, which takes the place of an older one once it is complete."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial, latest = path.with_name(f"{path.name}.partial"), self._latest
        self._latest = path, checkpoint.get("epoch"), checkpoint.get("global_step")
        partial.unlink(missing_ok=True)
        same = latest is not None and latest[2] is not None and latest[1:] == self._latest[1:]
        if not (same and latest and _linked(latest[0], path, partial)):
            tensors: dict[str, torch.Tensor] = {}
            structure = _pack(dict(checkpoint), tensors)
            save_file(tensors, partial, metadata={"structure": json.dumps(structure)})
        os.replace(partial, path)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint; all tensors come on the CPU.

        Raises:
            InputError: there is no such file, or it is damaged or something else.
        """
        try:
            with safe_open(path, framework="pt") as file:
                return dict(_unpack(json.loads(file.metadata()["structure"]), file))
        except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError, MemoryError) as error:
            said = " ".join(str(error).split())[:300]
            rule = "must be a checkpoint of this training; without its folder the training begins anew"
            raise InputError(f"{path}: {rule} ({said})") from error

    def remove_checkpoint(self, path: str | Path) -> None:
        """Delete a checkpoint, if there is one."""
        Path(path).unlink(missing_ok=True)
