"""BrainVision recordings without what identifies a patient; the data file is copied byte for byte."""

import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path

from eegdiffusion.core.deidentification.changes import Changes
from eegdiffusion.core.deidentification.kept_texts import KeptTexts
from eegdiffusion.core.deidentification.subject_key import Subject
from eegdiffusion.core.recordings.brainvision_files import companion
from eegdiffusion.core.recordings.patient_identity import Identity
from eegdiffusion.core.recordings.units import microvolts_per_unit
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.text_encoding import decode_text

_VALUE = re.compile(r"[A-Za-z0-9_.+-]*")
_KEPT = {
    "common infos": {
        "codepage", "dataformat", "dataorientation", "datatype", "numberofchannels", "samplinginterval", "datapoints",
        "averaged", "averagedsegments", "segmentdatapoints", "segmentationtype",
    },
    "binary infos": {"binaryformat", "channeloffset", "dataoffset", "trailersize", "usebigendianorder"},
}  # fmt: skip
"""Fields whose values stay, by section, in lower case; all others go."""

_MARKER_TYPES = (
    "New Segment",
    "Stimulus",
    "Response",
    "Comment",
    "SyncStatus",
    "Sync Status",
    "Bad Interval",
    "Time 0",
)


def brainvision_identity(path: Path) -> Identity:
    """Return who a BrainVision recording is of: its header has no field for it."""
    if not path.is_file():
        raise InputError(f"{path}: file: there is no such file")
    return Identity()


def deidentify_brainvision(source: Path, target: Path, subject: Subject, texts: KeptTexts) -> Changes:
    """Write a BrainVision recording, three files of one name, without what identifies its patient.

    Of the header only fields of the format with values of theirs stay; comments and the recorder's report go. Positions
    of markers stay.

    Args:
        source: header file (``.vhdr``) of the recording.
        target: header file to write; the others lie beside it.
        subject: what stands for the patient.
        texts: which texts may stay.

    Raises:
        InputError: a file is missing, or the data are no binary file.
    """
    changes, sections = Changes(), _sections(source)
    fields = {key.lower(): value for key, value in sections.get("common infos", [])}
    if fields.get("dataformat", "BINARY").strip().upper() != "BINARY":
        raise InputError(f"{source}: DataFormat: must be BINARY (found {fields['dataformat']!r})")
    data = companion(source, fields.get("datafile", ""))
    if data is None:
        raise InputError(f"{source}: DataFile: must name the file of the data beside the header")
    names = {"datafile": f"{target.stem}.eeg"}
    markers = companion(source, fields["markerfile"]) if fields.get("markerfile", "").strip() else None
    if markers is not None:
        names["markerfile"] = f"{target.stem}.vmrk"
        _write(
            target.with_suffix(".vmrk"), "Marker File, Version 1.0", _markers(markers, names, subject, texts, changes)
        )
    _write(target, "Header File Version 1.0", _header(sections, names, texts, changes))
    shutil.copyfile(data, target.with_suffix(".eeg"))
    return changes


def _sections(path: Path) -> dict[str, list[tuple[str, str]]]:
    """Return the fields of each section of a header or marker file, in order; comments are left out."""
    sections: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for line in decode_text(path.read_bytes()).splitlines():
        if match := re.fullmatch(r"\s*\[(.*)\]\s*", line):
            name = match[1].strip().lower()
        elif "=" in line and not line.lstrip().startswith(";"):
            key, _, value = line.partition("=")
            sections.setdefault(name, []).append((key.strip(), value.strip()))
        elif line.strip() and not line.startswith(("Brain Vision", "BrainVision")):
            sections.setdefault("comment", []).append(("", line))
    return sections


def _write(path: Path, title: str, lines: list[str]) -> None:
    path.write_text("\n".join([f"Brain Vision Data Exchange {title}", *lines, ""]), encoding="utf-8", newline="\n")


def _header(
    sections: dict[str, list[tuple[str, str]]], names: dict[str, str], texts: KeptTexts, changes: Changes
) -> list[str]:
    lines = ["[Common Infos]", "Codepage=UTF-8"]
    spelled = {"datafile": "DataFile", "markerfile": "MarkerFile"}
    lines += [f"{spelled[key]}={name}" for key, name in names.items()]
    for section, kept in _KEPT.items():
        if section != "common infos" and section in sections:
            lines.append(f"[{section.title()}]")
        for key, value in sections.get(section, []):
            stays = key.lower() in kept and _VALUE.fullmatch(value)
            if stays and key.lower() != "codepage":
                lines.append(f"{key}={value}")
            elif key.lower() not in (*names, "codepage"):
                changes.note(f"header field {key if key.lower() in kept else 'unknown'}", value, None)
    lines.append("[Channel Infos]")
    lines += [line for item in sections.get("channel infos", []) if (line := _channel(*item, texts, changes))]
    if "coordinates" in sections:
        numbers = re.compile(r"[-+\d.,eE ]+")
        lines.append("[Coordinates]")
        lines += [f"{key}={value}" for key, value in sections["coordinates"] if numbers.fullmatch(value)]
    for section in set(sections) - {*_KEPT, "channel infos", "coordinates"}:
        for _ in sections[section]:
            changes.note("line of a comment", True, False)
    return lines


def _channel(key: str, value: str, texts: KeptTexts, changes: Changes) -> str | None:
    match = re.fullmatch(r"Ch(\d+)", key, re.IGNORECASE)
    if match is None:
        changes.note("header field unknown", value, None)
        return None
    name, reference, resolution, unit = ([*value.split(","), "", "", "", ""])[:4]
    number = int(match[1])
    kept = [texts.label(name.replace(r"\1", ","), number).replace(",", r"\1")]
    kept.append(texts.label(reference, number) if reference else "")
    kept.append(resolution if re.fullmatch(r"[-+\d.eE]*", resolution) else "")
    kept.append("µV" if microvolts_per_unit(unit) == 1 and unit else texts.unit(unit))  # in whatever encoding
    for what, old, new in zip(
        ("label", "reference", "resolution", "unit"), (name, reference, resolution, unit), kept, strict=True
    ):
        changes.note(what, old, new)
    changes.note("header field unknown", len(value.split(",")) > 4, False)
    return f"{key}={','.join(kept)}"


def _markers(path: Path, names: dict[str, str], subject: Subject, texts: KeptTexts, changes: Changes) -> list[str]:
    lines = ["[Common Infos]", "Codepage=UTF-8", f"DataFile={names['datafile']}", "[Marker Infos]"]
    for key, value in _sections(path).get("marker infos", []):
        kind, description, position, size, channel, clock = ([*value.split(","), "", "", "", "", ""])[:6]
        if not (re.fullmatch(r"Mk\d+", key) and position.strip().isdigit()):
            changes.note("marker without a position", True, False)
            continue
        old, text = kind, description.replace(r"\1", ",")
        kind = kind if kind.strip() in _MARKER_TYPES or kind in texts.allowed else "Comment"
        changes.note("kind of a marker", old, kind)
        new = texts.annotation(text)
        changes.note("annotation", text, new)
        extent = [part.strip() if re.fullmatch(r"-?\d*", part.strip()) else "0" for part in (position, size, channel)]
        fields = [kind, new.replace(",", r"\1"), *extent]
        if clock.strip():
            fields.append(_shifted(clock.strip(), subject, changes))
        lines.append(f"{key}={','.join(fields)}")
    return lines


def _shifted(clock: str, subject: Subject, changes: Changes) -> str:
    """Return the date and time of a marker, which have 20 digits, some days earlier; zeros where it is none."""
    try:
        moved = datetime.strptime(clock, "%Y%m%d%H%M%S%f") - timedelta(days=subject.shift_days)
    except ValueError:
        changes.note("start date", clock, "0" * 20, "removed")
        return "0" * 20
    changes.note("start date", clock, moved, "shifted")
    return moved.strftime("%Y%m%d%H%M%S%f")
