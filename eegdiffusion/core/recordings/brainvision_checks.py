"""Whether a BrainVision recording is one that can be read: signals in time, in an order of bytes that MNE knows, whole.

MNE passes over these fields of the header, and reads other numbers than were recorded.
"""

import re
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError

_ALLOWED = {
    "DataType": ("TIMEDOMAIN", "must be TIMEDOMAIN: signals, not their spectra"),
    "Averaged": ("NO", "must be NO: a continuous recording, not an average"),
    "UseBigEndianOrder": ("NO", "must be NO: the lower byte of a sample comes first"),
}
"""Fields that may have one value alone, what it is, and the rule."""

_BYTES = {"INT_16": 2, "UINT_16": 2, "INT_32": 4, "IEEE_FLOAT_32": 4}
_FIELD = re.compile(r"^[ \t]*([A-Za-z]+)[ \t]*=[ \t]*(.*?)[ \t]*$", re.MULTILINE)


def header_fields(text: str) -> dict[str, str]:
    """Return the fields of a header before its channels, by name in lower case: the first of each name.

    Args:
        text: content of the header file, ``.vhdr``.
    """
    general = re.split(r"^\s*\[Channel Infos\]", text, maxsplit=1, flags=re.IGNORECASE | re.MULTILINE)[0]
    fields: dict[str, str] = {}
    for name, value in _FIELD.findall(general):
        fields.setdefault(name.lower(), value)
    return fields


def segment_samples(text: str) -> int | None:
    """Return how many samples each segment has, of a recording that was cut into such; None of one that was not."""
    fields = header_fields(text)
    if fields.get("segmentationtype", "NOTSEGMENTED").upper() == "NOTSEGMENTED":
        return None
    samples = fields.get("segmentdatapoints", "")
    return int(samples) if samples.isdecimal() and int(samples) > 0 else None


def check_header(header: Path, data: Path | None) -> None:
    """Check that a recording has signals that MNE reads as they are.

    Args:
        header: its header, ``.vhdr``.
        data: file of its samples; None where it is not known.

    Raises:
        InputError: it has not; the message names file, field and rule.
    """
    fields = header_fields(header.read_text("latin-1"))
    for name, (allowed, rule) in _ALLOWED.items():
        if (value := fields.get(name.lower(), allowed)).upper() not in (allowed, ""):
            raise InputError(f"{header}: {name}: {rule} (found {value})")
    width = _BYTES.get(fields.get("binaryformat", "").upper())
    numbers = [fields.get(name, "") for name in ("datapoints", "numberofchannels")]
    if data is None or width is None or not all(number.isdecimal() for number in numbers):
        return
    samples, channels = map(int, numbers)
    if data.stat().st_size < samples * channels * width:
        expected = samples * channels * width
        raise InputError(f"{data}: file size: must be {expected} bytes, as DataPoints of {header.name} says")
