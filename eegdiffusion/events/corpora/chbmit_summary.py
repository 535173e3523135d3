"""The seizures of CHB-MIT: ``chbNN-summary.txt`` in its variants, and the binary ``.edf.seizures``."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.text_files import read_text

MOST_BYTES = 1 << 24
"""Bytes of a summary."""

_LINE = re.compile(r"^\s*([^:]+?)\s*:\s*(.*?)\s*$")
_BOUND = re.compile(r"seizure(?:\s+\d+)?\s+(start|end)\s+time", re.IGNORECASE)
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)\s*(?:s|secs?|seconds?)?\.?", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,3}):(\d{1,2}):(\d{1,2})")
_ONSET, _END, _NOTE, _SKIP, _AUX = 32, 33, 22, 59, 63
_FIELDS = (60, 61, 62)


@dataclass
class SummaryEntry:
    """What a summary says of a recording.

    Attributes:
        seizures: start and end of each in seconds from its start.
        channels: labels of the channels, void ones too, by the section that it stands below.
        duration_s: seconds between its start and its end; None where the summary does not say.
    """

    seizures: list[tuple[float, float]]
    channels: list[str] = field(default_factory=list)
    duration_s: float | None = None


def read_summary(path: Path) -> dict[str, SummaryEntry]:
    """Read a summary: what it says of each recording, by the name of its file.

    Raises:
        InputError: there is none, a seizure has no end, or their number is not the one that it says.
    """
    parser = _Parser(path)
    for number, line in enumerate(read_text(path, MOST_BYTES).splitlines(), 1):
        parser.read(number, line)
    return parser.finish()


class _Parser:
    def __init__(self, path: Path):
        self.path, self.entries = path, dict[str, SummaryEntry]()
        self._channels: list[str] = []
        self._fresh = False  # whether the list of channels goes on
        self._name, self._count, self._starts, self._ends = "", 0, list[float](), list[float]()
        self._clocks: dict[str, float] = {}

    def read(self, number: int, line: str) -> None:
        match = _LINE.match(line)
        if match is None:
            return
        key, value = match[1].lower(), match[2]
        if key.startswith("channels"):
            self._close()
            self._fresh = True
        elif re.fullmatch(r"channel \d+", key):
            if self._fresh:
                self._channels, self._fresh = [], False
            self._channels.append(value)
        elif key == "file name":
            self._close()
            self._name = value
        elif key in ("file start time", "file end time"):
            if clock := _CLOCK.fullmatch(value):
                hours, minutes, seconds = map(int, clock.groups())
                self._clocks[key] = hours * 3600 + minutes * 60 + seconds
        elif key.startswith("number of seizures"):
            self._count = int(self._number(number, key, value))
        elif bound := _BOUND.fullmatch(key):
            (self._starts if bound[1].lower() == "start" else self._ends).append(self._number(number, key, value))

    def _number(self, line: int, key: str, text: str) -> float:
        match = _SECONDS.fullmatch(text)
        if match is None:
            raise InputError(f"{self.path}, line {line}: {key}: must be a number (found {text!r})")
        return float(match[1])

    def _close(self) -> None:
        """Keep the recording that was read."""
        if not self._name:
            return
        where = f"{self.path}: {self._name}"
        if len(self._starts) != len(self._ends) or len(self._starts) != self._count:
            raise InputError(
                f"{where}: Number of Seizures: must be that of the starts and ends (found {self._count}, with "
                f"{len(self._starts)} starts and {len(self._ends)} ends)"
            )
        seizures = list(zip(self._starts, self._ends, strict=True))
        for start, end in seizures:
            if not start < end:
                raise InputError(f"{where}: Seizure End Time: must follow its start (found {start:g} to {end:g} s)")
        if self._name in self.entries:
            raise InputError(f"{where}: File Name: must occur once")
        clocks = [self._clocks.get(f"file {bound} time") for bound in ("start", "end")]
        first, last = clocks
        duration_s = None if first is None or last is None else (last - first) % 86400  # hours may be 24 and more
        self.entries[self._name] = SummaryEntry(seizures, list(self._channels), duration_s)
        self._name, self._count, self._starts, self._ends, self._clocks = "", 0, [], [], {}

    def finish(self) -> dict[str, SummaryEntry]:
        self._close()
        if not self.entries:
            raise InputError(f"{self.path}: File Name: must name a recording (found none)")
        return self.entries


def read_seizure_file(path: Path, rate_hz: float) -> list[tuple[float, float]]:
    """Read the seizures of an ``.edf.seizures`` file: start and end in seconds.

    It is an annotation file of PhysioNet: words of 6 bits of type and 10 bits of interval, in samples.

    Raises:
        InputError: it is none, or an onset has no end.
    """
    content = path.read_bytes()
    if len(content) > MOST_BYTES:
        raise InputError(f"{path}: file: must be at most {MOST_BYTES} bytes (found {len(content)})")
    words = [int.from_bytes(content[k : k + 2], "little") for k in range(0, len(content) - 1, 2)]
    sample, position, bounds = 0, 0, list[tuple[int, int]]()
    while position < len(words) and words[position]:
        kind, interval = words[position] >> 10, words[position] & 1023
        position += 1
        if kind == _SKIP:
            if position + 1 >= len(words):
                break
            skipped = (words[position] << 16) | words[position + 1]
            sample += skipped - (1 << 32) if skipped >= 1 << 31 else skipped
            position += 2
        elif kind == _AUX:
            position += (interval + 1) // 2
        elif kind not in _FIELDS:
            sample += interval
            if kind != _NOTE:
                bounds.append((kind, sample))
    kinds = [kind for kind, _ in bounds]
    if kinds != [_ONSET, _END] * (len(bounds) // 2):
        raise InputError(f"{path}: annotations: must be onsets (32) and ends (33) of seizures in turn (found {kinds})")
    times = [sample / rate_hz for _, sample in bounds]
    return list(zip(times[::2], times[1::2], strict=True))
