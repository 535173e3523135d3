"""EDF and BDF without what identifies a patient; signals keep every bit."""

import hashlib
import re
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from eegdiffusion.core.deidentification.changes import Changes
from eegdiffusion.core.deidentification.kept_texts import KeptTexts
from eegdiffusion.core.deidentification.subject_key import Subject
from eegdiffusion.core.recordings.edf_header import ANNOTATIONS, Header, read_header
from eegdiffusion.core.recordings.patient_identity import Identity, patient_identity
from eegdiffusion.core.runtime.errors import InputError

_TAL = re.compile(rb"([+-]\d+(?:\.\d*)?)(?:\x15(\d+(?:\.\d*)?))?\x14(.*)", re.DOTALL)
_TIME = re.compile(r"\d\d?[.:]\d\d?[.:]\d\d?")
_NUMBER = re.compile(r"[+-]?[\d.,]+(?:[eE][+-]?\d+)?")
_FIRST_YEAR = 1985
_WIDTHS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("latin-1").strip()


def _fixed(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(256)


def edf_identity(path: Path) -> Identity:
    """Return who the header of an EDF or BDF file says it is of.

    Raises:
        InputError: the file is none.
    """
    read_header(path)
    fixed = _fixed(path)
    return patient_identity(_text(fixed[8:88]), _text(fixed[88:168]))


def deidentify_edf(source: Path, target: Path, subject: Subject, texts: KeptTexts) -> Changes:
    """Write an EDF or BDF recording without what identifies its patient.

    The header is written anew from its parsed fields, so that nothing hides behind them; time stamps, onsets and
    durations of annotations stay. What follows the last whole record is left out.

    Args:
        source: the recording.
        target: file to write.
        subject: what stands for the patient.
        texts: which texts may stay.

    Raises:
        InputError: the file cannot be read, or its signals would not be the same.
    """
    header, changes = read_header(source), Changes()
    stamps = [k for k, label in enumerate(header.labels) if label.upper() in ANNOTATIONS]
    sizes = [header.sample_bytes * count for count in header.channels["samples"]]
    widths = dict.fromkeys(stamps, 0)
    for record in _records(source, header, sizes):
        for k in stamps:
            widths[k] = max(widths[k], len(_annotations(record[k], texts, Changes())))
    unit = header.sample_bytes
    written = [max(-(-widths[k] // unit) * unit, size) if k in widths else size for k, size in enumerate(sizes)]
    content = _header_bytes(source, header, [size // unit for size in written], subject, texts, changes)
    before = hashlib.sha256()
    with target.open("wb") as file:
        file.write(content)
        for record in _records(source, header, sizes):
            for k, (part, size) in enumerate(zip(record, written, strict=True)):
                if k in widths:
                    file.write(_annotations(part, texts, changes).ljust(size, b"\0"))
                else:
                    before.update(part)
                    file.write(part)
    if source.stat().st_size > header.size + header.whole_records * sum(sizes):
        changes.note("bytes behind the last record", True, False)
    if before.digest() != _digest(target, written, widths):
        raise InputError(f"{source}: signals: are not the same in {target}; is the disk failing?")
    return changes


def _digest(path: Path, sizes: list[int], left_out: Collection[int]) -> bytes:
    """Return the SHA-256 of all signals but some."""
    digest = hashlib.sha256()
    for record in _records(path, read_header(path), sizes):
        for k, part in enumerate(record):
            if k not in left_out:
                digest.update(part)
    return digest.digest()


def _records(path: Path, header: Header, sizes: list[int]) -> Iterator[list[bytes]]:
    """Yield the bytes of each signal of each whole record."""
    with path.open("rb") as file:
        file.seek(header.size)
        for _ in range(header.whole_records):
            yield [_read(file, size, path) for size in sizes]


def _read(file: BinaryIO, size: int, path: Path) -> bytes:
    part = file.read(size)
    if len(part) != size:
        raise InputError(f"{path}: records: it was cut off while it was read")
    return part


def _annotations(block: bytes, texts: KeptTexts, changes: Changes) -> bytes:
    """Return a record's time-stamped annotation lists with the texts that may stay, or their codes."""
    lists = []
    for part in filter(None, block.split(b"\0")):
        match = _TAL.fullmatch(part)
        if match is None:
            changes.note("annotation without an onset", True, False)
            continue
        onset, duration, content = match.groups()
        old = [text.decode("utf-8", "replace") for text in content.removesuffix(b"\x14").split(b"\x14")]
        new = [texts.annotation(text) for text in old]
        for text, kept in zip(old, new, strict=True):
            changes.note("annotation", text, kept)
        stamp = onset + (b"\x15" + duration if duration is not None else b"")
        lists.append(b"\x14".join([stamp, *(text.encode() for text in new), b"\0"]))
    return b"".join(lists)


def _header_bytes(
    source: Path, header: Header, samples: list[int], subject: Subject, texts: KeptTexts, changes: Changes
) -> bytes:
    fixed = _fixed(source)
    patient, recording, reserved = _text(fixed[8:88]), _text(fixed[88:168]), _text(fixed[192:236])
    plus = header.kind in ("EDF+C", "EDF+D", "BDF+C", "BDF+D")
    day, words = _shifted(header.start, subject, changes)
    identified = f"{subject.code} X X X"
    kind = header.kind if plus or header.kind == "24BIT" else ""
    changes.note("patient identification", patient, identified)
    changes.note("recording identification", recording, f"Startdate {words} X X X")
    changes.note("reserved", reserved, kind)
    clock = _text(fixed[176:184])
    time = clock if _TIME.fullmatch(clock) else "00.00.00"
    changes.note("start time", clock, time)
    record_s = _text(fixed[244:252])
    fields = [
        (identified, 80), (f"Startdate {words} X X X", 80), (day, 8), (time, 8), (str(header.size), 8), (kind, 44),
        (str(header.whole_records), 8), (record_s, 8), (str(len(samples)), 4),
    ]  # fmt: skip
    declared = _text(fixed[236:244])
    changes.note("number of records", declared if declared.lstrip("-").isdigit() else "?", str(header.whole_records))
    start = fixed[:8] if fixed[:1] == b"\xff" else b"0".ljust(8)
    return start + b"".join(_padded(text, width) for text, width in fields) + _signals(source, samples, texts, changes)


def _shifted(start: datetime | None, subject: Subject, changes: Changes) -> tuple[str, str]:
    """Return a shifted date as both fields have it; EDF's first day where there is none, or none that EDF can hold."""
    if start is not None:
        moved = start - timedelta(days=subject.shift_days)
        if moved.year >= _FIRST_YEAR:
            changes.note("start date", start, moved, "shifted")
            month = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")[
                moved.month - 1
            ]
            return moved.strftime("%d.%m.%y"), f"{moved.day:02d}-{month}-{moved.year}"
        changes.note("start date", start, None, "removed")
    return "01.01.85", "X"


def _padded(text: str, width: int) -> bytes:
    return text.encode("latin-1", "replace")[:width].ljust(width)


def _signals(source: Path, samples: list[int], texts: KeptTexts, changes: Changes) -> bytes:
    """Return the header's second part: ten fields, each of all signals."""
    count, at, parts = len(samples), 256, []
    content = source.read_bytes() if source.stat().st_size < 1 << 16 else source.open("rb").read(256 * (count + 1))
    names = (
        "label", "transducer", "unit", "physical minimum", "physical maximum", "digital minimum", "digital maximum",
        "prefilter", "samples", "signal reserved",
    )  # fmt: skip
    for name, width in zip(names, _WIDTHS, strict=True):
        for k in range(count):
            old = _text(content[at + k * width : at + (k + 1) * width])
            new = _signal_field(name, old, k + 1, samples[k], texts)
            if name != "samples":
                changes.note(name, old, new)
            parts.append(_padded(new, width))
        at += width * count
    return b"".join(parts)


def _signal_field(name: str, text: str, number: int, samples: int, texts: KeptTexts) -> str:
    if name == "label":
        return texts.label(text, number)
    if name in ("transducer", "unit", "prefilter"):
        return getattr(texts, name)(text)
    if name == "samples":
        return str(samples)
    return text if name.endswith("imum") and _NUMBER.fullmatch(text) else ""
