"""Folders that models are written to: which files they hold, and that nothing of another is overwritten."""

from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.text_files import read_json

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
TORCH_PROGRAM, ONNX_PROGRAM = "model.pt2", "model.onnx"

LIBRARY = "eegdiffusion"
"""Name of the library in ``config.json``, by which a folder is known."""


def require_own_folder(folder: Path, weights: str = WEIGHTS) -> None:
    """Check that a folder is new, empty, or holds what was written to it before and nothing else.

    Args:
        folder: the folder.
        weights: file of the weights, or of a program in their place.

    Raises:
        InputError: it holds other files, or is a file.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder}: must be a folder (found a file)")
    names = {path.name for path in folder.iterdir()}
    if other := sorted(names - {CONFIG, CARD, weights}):
        raise InputError(f"{folder}: must be new, empty or of an earlier export (found {', '.join(other[:5])})")
    if names and not (CONFIG in names and _is_own(folder / CONFIG)):
        raise InputError(f"{folder}: must be new, empty or of an earlier export (found a folder of another program)")


def _is_own(path: Path) -> bool:
    try:
        document = read_json(path)
    except InputError:
        return False
    return isinstance(document, dict) and document.get("library_name") == LIBRARY
