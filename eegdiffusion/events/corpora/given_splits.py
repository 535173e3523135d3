"""Splits that a corpus gives, by the names that corpora give them."""

from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError

_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev", "development"),
    "test": ("test", "testing", "eval", "evaluation"),
}


def split_named(text: str) -> str | None:
    """Return ``train``, ``validation`` or ``test`` for a name of it in any case; None for another text."""
    return next((split for split, names in _NAMES.items() if text.strip().lower() in names), None)


def require_split(text: str, where: str) -> str:
    """Return the split that a cell of a table names; empty for an empty cell.

    Raises:
        InputError: it names none.
    """
    if text.strip().lower() in ("", "n/a", "nan"):
        return ""
    if (split := split_named(text)) is None:
        listed = ", ".join(name for names in _NAMES.values() for name in names)
        raise InputError(f"{where}: must be one of {listed} (found {text!r})")
    return split


def split_of_folder(path: Path) -> tuple[str, Path]:
    """Return the split that the first folder of a path names, empty for none, and the path below it."""
    split = split_named(path.parts[0]) if len(path.parts) > 1 else None
    return (split, Path(*path.parts[1:])) if split else ("", path)
