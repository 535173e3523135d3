"""What MNE leaves out of a BrainVision recording's header and markers: units as written, and where segments begin.

Format: Brain Products, "BrainVision Core Data Format 1.0".
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from eegdiffusion.core.recordings.brainvision_files import companion, read_header_bytes, read_marker_bytes

# Both parts that are read, numbers and the names of fields, are ASCII; any one-byte encoding reads them.
_ENCODING = "latin-1"
_CHANNEL = re.compile(r"^\s*Ch(\d{1,6})\s*=(.*)$", re.IGNORECASE | re.MULTILINE)
_MARKER_FILE = re.compile(r"^\s*MarkerFile\s*=(.*)$", re.IGNORECASE | re.MULTILINE)
_NEW_SEGMENT = re.compile(
    r"^\s*Mk\d+\s*=\s*New Segment,[^,]*,\s*(\d{1,15}),[^,]*,[^,\n]*(?:,\s*(\d*))?", re.IGNORECASE | re.MULTILINE
)
_LOST = re.compile(
    r"^\s*Mk\d+\s*=[^,\n]*,\s*LostSamples:?\s*(\d{1,15})[^,\n]*,\s*(\d{1,15})", re.IGNORECASE | re.MULTILINE
)

UNIT = "µV"
"""Unit of a channel whose header names none."""


class Segment(NamedTuple):
    """Where a recorder began or went on.

    Attributes:
        first_sample: counted from 0.
        start: clock at it, where the marker has one; of no zone, called UTC as MNE does.
        lost: samples before it that the recorder says it lost.
    """

    first_sample: int
    start: datetime | None
    lost: int = 0


def _text(content: bytes) -> str:
    return content.decode(_ENCODING).replace("\r\n", "\n").replace("\r", "\n")


def _channel_fields(path: Path) -> list[list[str]]:
    """Return name, reference, resolution and unit of each channel of a header file, as far as they are there."""
    text = _text(read_header_bytes(path))
    infos = re.split(r"^\s*\[Channel Infos\]", text, maxsplit=1, flags=re.IGNORECASE | re.MULTILINE)[-1]
    section = re.split(r"^\s*\[", infos, maxsplit=1, flags=re.MULTILINE)[0]
    fields = {int(number): [field.strip() for field in value.split(",")] for number, value in _CHANNEL.findall(section)}
    return [fields[number] + [""] * (4 - len(fields[number])) for number in sorted(fields)]


def channel_units(path: Path) -> list[str]:
    """Return the unit of each channel as the header file (``.vhdr``) spells it, in the order of the channels."""
    return [fields[3] or UNIT for fields in _channel_fields(path)]


def channel_references(path: Path) -> list[str]:
    """Return what each channel was recorded against, in the order of the channels; empty where it is not said."""
    return [fields[1] for fields in _channel_fields(path)]


def _clock(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)
    except ValueError:  # zeros, or nothing, where the recorder had no clock
        return None


def segments(path: Path) -> list[Segment]:
    """Return where the recording of a header file (``.vhdr``) begins and goes on, in order; empty if it does not say.

    Of markers at one place the last that has a clock counts. Samples that were lost divide a recording as a segment
    does, and so do the segments of one that was cut into such.
    """
    name = _MARKER_FILE.search(_text(read_header_bytes(path)))
    markers = companion(path, name[1]) if name else None
    if markers is None:
        return []
    starts: dict[int, datetime | None] = {}
    text = _text(read_marker_bytes(markers))
    for position, clock in _NEW_SEGMENT.findall(text):
        first = max(int(position) - 1, 0)
        starts[first] = _clock(clock) or starts.get(first)
    lost = {max(int(position) - 1, 0): int(samples) for samples, position in _LOST.findall(text)}
    return [Segment(first, starts.get(first), lost.get(first, 0)) for first in sorted(starts.keys() | lost.keys())]
