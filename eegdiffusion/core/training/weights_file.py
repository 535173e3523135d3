"""A user's file of weights, safetensors or ``torch.save``, read without executing anything."""

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.pickles.torch_archive import read_archive


def as_tensors(arrays: object) -> dict[str, Tensor]:
    """Return tensors of their own for the arrays of a file that is mapped, by name.

    Raises:
        ValueError: they are no arrays of numbers by name.
    """
    if not isinstance(arrays, dict):
        raise ValueError(f"must map names to tensors (found a {type(arrays).__name__})")
    for name, value in arrays.items():
        if not isinstance(name, str) or not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub":
            raise ValueError(f"must map names to tensors (found a {type(value).__name__} for {name!r:.80})")
    return {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}


def load_weights(path: Path, rule: str) -> dict[str, Tensor]:
    """Read the tensors of a file by name: ``.safetensors``, or else a state dict of ``torch.save``.

    Args:
        path: the file.
        rule: where the file is named, and what it must be, which begins the error.

    Returns:
        tensors on the CPU; bfloat16 of ``torch.save`` comes as float32.

    Raises:
        InputError: there is no such file, or it is damaged or something else.
    """
    try:
        if not path.is_file():
            raise FileNotFoundError("there is no such file")
        return load_file(path) if path.suffix.lower() == ".safetensors" else as_tensors(read_archive(path))
    except (SafetensorError, OSError, ValueError, MemoryError) as error:
        raise InputError(f"{rule} ({' '.join(str(error).split())})") from error
