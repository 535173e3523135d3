"""What MNE leaves out of a BrainVision recording's header and markers: units as written, and where segments begin.

Format: Brain Products, "BrainVision Core Data Format 1.0".
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from eegdiffusion.core.recordings.brainvision_files import companion

# Both parts that are read, numbers and the names of fields, are ASCII; any one-byte encoding reads them.
_ENCODING = "latin-1"
_CHANNEL = re.compile(r"^\s*Ch(\d+)\s*=(.*)$", re.IGNORECASE | re.MULTILINE)
_MARKER_FILE = re.compile(r"^\s*MarkerFile\s*=(.*)$", re.IGNORECASE | re.MULTILINE)
_NEW_SEGMENT = re.compile(
    r"^\s*Mk\d+\s*=\s*New Segment,[^,]*,\s*(\d+),[^,]*,[^,\n]*(?:,\s*(\d*))?", re.IGNORECASE | re.MULTILINE
)

UNIT = "µV"
"""Unit of a channel whose header names none."""


class Segment(NamedTuple):
    """Where a recorder began or went on.

    Attributes:
        first_sample: counted from 0.
        start: clock at it, where the marker has one; of no zone, called UTC as MNE does.
    """

    first_sample: int
    start: datetime | None


def channel_units(path: Path) -> list[str]:
    """Return the unit of each channel as the header file (``.vhdr``) spells it, in the order of the channels."""
    text = path.read_text(_ENCODING)
    infos = re.split(r"^\s*\[Channel Infos\]", text, maxsplit=1, flags=re.IGNORECASE | re.MULTILINE)[-1]
    section = re.split(r"^\s*\[", infos, maxsplit=1, flags=re.MULTILINE)[0]
    units: dict[int, str] = {}
    for number, value in _CHANNEL.findall(section):
        fields = value.strip().split(",")
        units[int(number)] = (fields[3].strip() if len(fields) > 3 else "") or UNIT
    return [units[number] for number in sorted(units)]


def _clock(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)
    except ValueError:  # zeros, or nothing, where the recorder had no clock
        return None


def segments(path: Path) -> list[Segment]:
    """Return where the recording of a header file (``.vhdr``) begins and goes on, in order; empty if it does not say.

    Of markers at one place the last that has a clock counts.
    """
    name = _MARKER_FILE.search(path.read_text(_ENCODING))
    markers = companion(path, name[1]) if name else None
    if markers is None:
        return []
    starts: dict[int, datetime | None] = {}
    for position, clock in _NEW_SEGMENT.findall(markers.read_text(_ENCODING)):
        first = max(int(position) - 1, 0)
        starts[first] = _clock(clock) or starts.get(first)
    return [Segment(first, starts[first]) for first in sorted(starts)]
