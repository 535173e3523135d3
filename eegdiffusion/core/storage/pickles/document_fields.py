"""What the fields of a document that was read from a file must be, so that what uses them need not ask."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from eegdiffusion.core.runtime.errors import InputError

FieldKind = Literal["numbers", "indices", "texts", "number", "index", "list"]
"""An array of real numbers, whole numbers in a row, a list of text, one finite number, a number from 0, a list."""


def check_fields(document: Any, fields: Mapping[str, FieldKind], where: str) -> dict[str, Any]:
    """Return a document whose fields are what they must be; arrays of text and lists of whole numbers are converted.

    Args:
        document: what was read.
        fields: the fields that it must have, and what each must be; it may have others.
        where: file, or place in it, for the errors.

    Raises:
        InputError: a field is missing, or something else; the message names file, field and rule.
    """
    if not isinstance(document, dict):
        raise InputError(f"{where}: must be a dict (found a {type(document).__name__})")
    if missing := [field for field in fields if field not in document]:
        raise InputError(f"{where}: {', '.join(missing)}: is missing (found {', '.join(map(str, document))})")
    return document | {field: _checked(document[field], kind, f"{where}: {field}") for field, kind in fields.items()}


def _checked(value: Any, kind: FieldKind, where: str) -> Any:
    match kind:
        case "numbers" if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
            return value
        case "indices" if (whole := _whole_numbers(value)) is not None:
            return whole
        case "texts" if (texts := _texts(value)) is not None:
            return texts
        case "number" if _is_number(value) and math.isfinite(value):
            return value
        case "index" if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31:
            return value
        case "list" if isinstance(value, list):
            return value
    rule = {
        "numbers": "an array of real numbers",
        "indices": "whole numbers from 0 in a row",
        "texts": "a list of text",
        "number": "a finite number",
        "index": "a whole number from 0",
        "list": "a list",
    }[kind]
    raise InputError(f"{where}: must be {rule} (found {_described(value)})")


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of the shape {value.shape}"
    return repr(value) if isinstance(value, int | float | None) else f"a {type(value).__name__}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _whole_numbers(value: Any) -> np.ndarray | None:
    if isinstance(value, list):
        if not all(type(item) is int and 0 <= item < 1 << 31 for item in value):
            return None
        return np.array(value, np.int64)
    if not isinstance(value, np.ndarray) or value.ndim != 1 or value.dtype.kind not in "iu":
        return None
    return None if len(value) and not 0 <= int(value.min()) <= int(value.max()) < 1 << 31 else value.astype(np.int64)


def _texts(value: Any) -> list[str] | None:
    if isinstance(value, np.ndarray):
        return value.tolist() if value.ndim == 1 and value.dtype.kind == "U" else None
    return value if isinstance(value, list) and all(isinstance(item, str) for item in value) else None
