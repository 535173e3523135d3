"""Reader of Lightning checkpoints (PyTorch's zip-and-pickle format) that runs nothing a pickle names.

``torch.load(weights_only=True)`` refuses EEGDM's published files: their hyper-parameters hold OmegaConf containers and
the name of a function. Here an object of any class is an inert placeholder that keeps its state.
"""

from pathlib import Path
from typing import Any

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.pickles.torch_archive import read_archive
from eegdiffusion.core.training.weights_file import as_tensors


def _omegaconf_value(state: Any) -> Any:
    """Unwrap OmegaConf: containers hold items in ``_content``, leaves a value in ``_val``; others become None."""
    return state.get("_content", state.get("_val")) if isinstance(state, dict) else None


def read_checkpoint(path: Path) -> dict:
    """Read ``state_dict`` (names to tensors) and ``hyper_parameters`` (plain dicts, lists and values).

    Raises:
        InputError: the file is missing, is no such checkpoint or is damaged.
    """
    document = read_archive(path, "a Lightning checkpoint", _omegaconf_value)
    try:
        tensors = as_tensors(document.get("state_dict"))
    except ValueError as error:
        raise InputError(f"{path}: must be a Lightning checkpoint, intact (state_dict: {error})") from error
    return {"state_dict": tensors, "hyper_parameters": _plain(document.get("hyper_parameters", {}))}


def _plain(value: object) -> Any:
    """Return nested dicts and lists of text and numbers; other values become None."""
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool) else None
